//! What people and programs did at auth: logins, failed ones too, and who changed what.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::app::App;
use crate::operator::Operator;
use crate::page::{Frame, html};
use crate::show::{Id, Source, Time};

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Filter {
    about: String,
    actor: String,
    cursor: String,
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
    let mut query = Vec::new();
    for (name, value) in [
        ("about", &filter.about),
        ("actor", &filter.actor),
        ("cursor", &filter.cursor),
    ] {
        if !value.trim().is_empty() {
            query.push((name, value.trim().to_owned()));
        }
    }
    let found = app.client.events(&who.token, &query).await;
    let next = who.next(&found, "/history");
    let rows = found.map(|page| {
        let events = page["events"].as_array().cloned().unwrap_or_default();
        events.iter().map(|event| row(event, &who)).collect()
    });
    html(&HistoryPage {
        frame: who.frame("History", "History"),
        books: who.prefix.at(&books(&filter)),
        filter,
        rows: rows.map_err(Into::into),
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

fn row(event: &Value, who: &Operator) -> Row {
    let text = |name: &str| event[name].as_str().map(str::to_owned);
    let detail = event["detail"].as_object().into_iter().flatten();
    let detail: Vec<_> = detail
        .map(|(name, value)| match value {
            Value::String(text) => format!("{name} {text}"),
            other => format!("{name} {other}"),
        })
        .collect();
    Row {
        at: Time::of(&event["at"]),
        what: text("what").unwrap_or_default(),
        actor: text("actor").unwrap_or_default(),
        about: text("about").map(|id| Id::link(&id, &who.prefix, &about(&id))),
        detail: detail.join(", "),
    }
}
