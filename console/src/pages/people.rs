//! People: who they are, and what an administrator does about them. What is done to several shows the outcome of each.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::history::about;
use crate::app::App;
use crate::failure::Failure;
use crate::fields::Fields;
use crate::operator::Operator;
use crate::page::{Frame, html};
use crate::show::{Id, Source, State as Shown, Time};

struct Row {
    id: Id,
    key: String,
    email: String,
    role: String,
    state: Shown,
    second_factor: &'static str,
    last_login: Time,
    accounts: String,
}

#[derive(Template)]
#[template(path = "people.html")]
struct PeoplePage {
    frame: Frame,
    rows: Source<Vec<Row>>,
    next: Option<String>,
    /// What came of the last action on each of them.
    outcomes: Vec<Outcome>,
}

/// What came of an action on one thing.
pub(super) struct Outcome {
    pub(super) what: String,
    pub(super) state: Shown,
    pub(super) detail: String,
}

impl Outcome {
    pub(super) fn of<T>(what: String, result: Result<T, client::Error>, done: String) -> Self {
        match result {
            Ok(_) => Self {
                what,
                state: Shown::new("ok"),
                detail: done,
            },
            Err(error) => Self {
                what,
                state: Shown::new("failed"),
                detail: error.to_string(),
            },
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Cursor {
    cursor: Option<String>,
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    who: Operator,
    Query(asked): Query<Cursor>,
) -> Response {
    page(&app, &who, asked.cursor, Vec::new()).await
}

async fn page(
    app: &App,
    who: &Operator,
    cursor: Option<String>,
    outcomes: Vec<Outcome>,
) -> Response {
    let query = cursor.map(|cursor| ("cursor", cursor));
    let query: Vec<_> = query.into_iter().collect();
    let found = app.client.users(&who.token, &query).await;
    let next = who.next(&found, "/people");
    let rows = found.map(|page| {
        let users = page["users"].as_array().cloned().unwrap_or_default();
        users.iter().map(|user| row(user, who)).collect()
    });
    html(&PeoplePage {
        frame: who.frame("People", "People"),
        rows: rows.map_err(Into::into),
        next,
        outcomes,
    })
}

fn row(user: &Value, who: &Operator) -> Row {
    let text = |name: &str| user[name].as_str().unwrap_or_default().to_owned();
    let id = text("id");
    let is_active = user["is_active"] == true;
    Row {
        accounts: who.prefix.at(&format!("/accounts?owner={id}")),
        id: Id::link(&id, &who.prefix, &about(&id)),
        key: id,
        email: text("email"),
        role: text("role"),
        state: Shown::new(if is_active { "active" } else { "inactive" }),
        second_factor: match user["has_second_factor"] == true {
            true => "yes",
            false => "no",
        },
        last_login: Time::of(&user["last_login_at"]),
    }
}

pub(super) async fn act(
    State(app): State<Arc<App>>,
    who: Operator,
    fields: Fields,
) -> Result<Response, Failure> {
    let bad = |why: &str| Failure::bad_request(why, &who.prefix);
    let action = fields.get("action").unwrap_or_default();
    let (path, body) = match action {
        "deactivate" | "activate" | "log-out" | "unlock" => (action, None),
        "customer" | "staff" | "admin" => ("role", Some(json!({"role": action}))),
        _ => return Err(bad("There is no such action.")),
    };
    let mut outcomes = Vec::new();
    for id in fields.all("id") {
        let is_id = uuid::Uuid::parse_str(id).is_ok();
        if !is_id {
            return Err(bad("This is nobody's id."));
        }
        let done = app
            .client
            .change_user(&who.token, id, path, body.as_ref())
            .await;
        outcomes.push(Outcome::of(id.to_owned(), done, format!("{action} done")));
    }
    if outcomes.is_empty() {
        return Err(bad("Choose somebody first."));
    }
    Ok(page(&app, &who, None, outcomes).await)
}
