//! One's own sessions: every log-in that can still fetch tokens, and the end of those.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde_json::Value;
use uuid::Uuid;

use crate::app::App;
use crate::failure::{Failure, see_other};
use crate::fields::Fields;
use crate::operator::Operator;
use crate::page::{Frame, html};
use crate::show::{Id, Source, Time};

struct Row {
    id: Id,
    key: String,
    created: Time,
    refreshed: Time,
    ends: Time,
    is_this: bool,
}

#[derive(Template)]
#[template(path = "sessions.html")]
struct SessionsPage {
    frame: Frame,
    rows: Source<Vec<Row>>,
}

pub(super) async fn list(State(app): State<Arc<App>>, who: Operator) -> Response {
    let found = app.client.sessions(&who.token).await;
    let rows = found.map(|found| {
        let sessions = found["sessions"].as_array().cloned().unwrap_or_default();
        sessions.iter().map(row).collect()
    });
    html(&SessionsPage {
        frame: who.frame("Sessions", "Sessions"),
        rows: rows.map_err(Into::into),
    })
}

fn row(session: &Value) -> Row {
    let id = session["id"].as_str().unwrap_or_default();
    Row {
        id: Id::plain(id),
        key: id.to_owned(),
        created: Time::of(&session["created_at"]),
        refreshed: Time::of(&session["refreshed_at"]),
        ends: Time::of(&session["ends_at"]),
        is_this: session["is_current"] == true,
    }
}

pub(super) async fn end(
    State(app): State<Arc<App>>,
    who: Operator,
    fields: Fields,
) -> Result<Response, Failure> {
    let id = fields.get("id").and_then(|id| Uuid::parse_str(id).ok());
    let id = id.ok_or_else(|| Failure::bad_request("This is no session's id.", &who.prefix))?;
    let ended = app.client.end_session(&who.token, id).await;
    ended.map_err(|error| Failure::of(error, &who.prefix))?;
    Ok(see_other("/sessions"))
}
