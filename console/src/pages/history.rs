//! What people and programs did: logins, failed ones too, who changed what, replays and files.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use client::{Event, EventQuery};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::app::App;
use crate::operator::Operator;
use crate::page::{Frame, html};
use crate::show::{Id, Source, Time, Trouble};

/// Events of a page.
const ROWS: u32 = 50;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Filter {
    about: String,
    actor: String,
    before: String,
}

struct Row {
    at: Time,
    what: String,
    actor: String,
    about: Option<Id>,
    detail: String,
}

#[derive(Template)]
#[template(path = "history.html")]
struct HistoryPage {
    frame: Frame,
    filter: Filter,
    /// Where what somebody asked of the books stands.
    books: String,
    rows: Source<Vec<Row>>,
    /// What one of the services did not tell.
    missing: Option<Trouble>,
    next: Option<String>,
}

/// What happened to somebody.
pub(super) fn about(id: &str) -> String {
    format!("/history?about={id}")
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    who: Operator,
    Query(filter): Query<Filter>,
) -> Response {
    let asked = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let query = EventQuery {
        about: asked(&filter.about),
        actor: asked(&filter.actor),
        limit: ROWS,
        // What nobody was led to begins at the newest.
        before: filter.before.parse().unwrap_or_default(),
        ..EventQuery::default()
    };
    let found = app.client.events(&who.token, &query).await;
    let (rows, missing, next) = match found {
        Ok(page) => (
            Ok(page.events.iter().map(|event| row(event, &who)).collect()),
            page.missing.map(Trouble::from),
            page.next,
        ),
        Err(error) => (Err(error.into()), None, None),
    };
    let next = next.map(|before| {
        let older = Filter {
            before: before.to_string(),
            ..filter.clone()
        };
        let query = serde_urlencoded::to_string(older).unwrap_or_default();
        who.prefix.at(&format!("/history?{query}"))
    });
    html(&HistoryPage {
        frame: who.frame("History", "History"),
        books: who.prefix.at(&books(&filter)),
        filter,
        rows,
        missing,
        next,
    })
}

/// The log, of the person that is looked at if it is one: a login's client is named after its person.
fn books(filter: &Filter) -> String {
    let people = [&filter.actor, &filter.about].into_iter();
    let mut ids = people.filter_map(|text| text.trim().parse::<Uuid>().ok());
    ids.next().map_or_else(
        || "/log".to_owned(),
        |id| format!("/log?client_id=user-{id}"),
    )
}

fn row(event: &Event, who: &Operator) -> Row {
    let detail: Vec<_> = event.details().collect();
    let subject = event.about.as_deref();
    Row {
        at: Time::at(event.at),
        what: event.what.clone(),
        actor: event.actor.clone().unwrap_or_default(),
        about: subject.map(|id| Id::link(id, &who.prefix, &about(id))),
        detail: detail.join(", "),
    }
}
