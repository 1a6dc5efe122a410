//! Service accounts: the programs that log in, what they may do, and their credentials.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::people::Outcome;
use crate::app::App;
use crate::failure::Failure;
use crate::fields::Fields;
use crate::operator::Operator;
use crate::page::{Frame, html};
use crate::show::{Id, Source, State as Shown, Time};

/// What a program may be given. Source: DESIGN's scopes, as auth knows them.
const SCOPES: [&str; 8] = [
    "payments:submit",
    "payments:submit-any",
    "payments:read",
    "accounts:read",
    "accounts:write",
    "bank:operate",
    "auth:admin",
    "audit:read",
];

struct Row {
    id: Id,
    key: String,
    name: String,
    state: Shown,
    scopes: String,
    credentials: usize,
    last_used: Time,
}

#[derive(Template)]
#[template(path = "programs.html")]
struct ProgramsPage {
    frame: Frame,
    rows: Source<Vec<Row>>,
    next: Option<String>,
    outcomes: Vec<Outcome>,
    /// A new program's id and secret, shown once.
    secret: Option<(String, String)>,
    scopes: [&'static str; 8],
}

#[derive(Deserialize)]
pub(super) struct After {
    after: Option<String>,
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    who: Operator,
    Query(asked): Query<After>,
) -> Response {
    page(&app, &who, asked.after, Vec::new(), None).await
}

async fn page(
    app: &App,
    who: &Operator,
    after: Option<String>,
    outcomes: Vec<Outcome>,
    secret: Option<(String, String)>,
) -> Response {
    let query: Vec<_> = after.map(|after| ("after", after)).into_iter().collect();
    let found = app.client.service_accounts(&who.token, &query).await;
    let next = who.next(&found, "/programs");
    let rows = found.map(|page| {
        let accounts = page["service_accounts"].as_array().cloned();
        let accounts = accounts.unwrap_or_default();
        accounts.iter().map(|account| row(account, who)).collect()
    });
    html(&ProgramsPage {
        frame: who.frame("Programs", "Programs"),
        rows: rows.map_err(Into::into),
        next,
        outcomes,
        secret,
        scopes: SCOPES,
    })
}

fn row(account: &Value, who: &Operator) -> Row {
    let id = account["client_id"].as_str().unwrap_or_default().to_owned();
    let is_active = account["is_active"] == true;
    let credentials = account["credentials"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let scopes = account["scopes"].as_array().into_iter().flatten();
    let scopes: Vec<_> = scopes.filter_map(Value::as_str).collect();
    // RFC 3339 in UTC sorts as text.
    let last_used = credentials.iter().map(|one| &one["last_used_at"]);
    let last_used = last_used.max_by_key(|at| at.as_str().unwrap_or_default().to_owned());
    Row {
        id: Id::link(&id, &who.prefix, &format!("/log?client_id={id}")),
        key: id,
        name: account["name"].as_str().unwrap_or_default().to_owned(),
        state: Shown::new(if is_active { "active" } else { "inactive" }),
        scopes: scopes.join(" "),
        last_used: Time::of(last_used.unwrap_or(&Value::Null)),
        credentials: credentials.len(),
    }
}

pub(super) async fn act(
    State(app): State<Arc<App>>,
    who: Operator,
    fields: Fields,
) -> Result<Response, Failure> {
    let bad = |why: &str| Failure::bad_request(why, &who.prefix);
    let action = fields.get("action").unwrap_or_default();
    match action {
        "create" => {
            let id = fields
                .get("client_id")
                .ok_or_else(|| bad("The id is missing."))?;
            let scopes: Vec<&str> = fields.all("scope").collect();
            let new = json!({"client_id": id, "name": fields.get("name"), "scopes": scopes});
            let made = app.client.create_service_account(&who.token, &new).await;
            let made = made.map_err(|error| Failure::of(error, &who.prefix))?;
            let secret = made["client_secret"].as_str().unwrap_or_default();
            let secret = Some((id.to_owned(), secret.to_owned()));
            Ok(page(&app, &who, None, Vec::new(), secret).await)
        }
        "activate" | "deactivate" => {
            let mut outcomes = Vec::new();
            for id in fields.all("id") {
                let done = app.client.switch_service_account(&who.token, id, action);
                let done = done.await;
                outcomes.push(Outcome::of(id.to_owned(), done, format!("{action} done")));
            }
            if outcomes.is_empty() {
                return Err(bad("Choose a program first."));
            }
            Ok(page(&app, &who, None, outcomes, None).await)
        }
        _ => Err(bad("There is no such action.")),
    }
}
