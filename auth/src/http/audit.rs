//! `GET /api/audit/`: what happened in auth, the newest first, for auditors and administrators.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use chrono::{DateTime, Utc};
use common::http::describe::Of;
use common::http::describe::answers::Reply;
use common::http::page::{self, Page};
use common::http::problem::Problem;
use common::timestamp;
use common::token::Scope;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::queries::{bad, time};
use crate::app::Auth;
use crate::store::events::{self, Filter, Recorded, names};

const READERS: &[Scope] = &[Scope::AuditRead, Scope::AuthAdmin];
/// Events in a list, unless asked for otherwise.
const ROWS_DEFAULT: u32 = 50;

const PATH: &str = "/api/audit";

pub(super) fn routes() -> OpenApiRouter<Arc<Auth>> {
    OpenApiRouter::new().routes(routes!(list))
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// A person's id, a service account's, a key's, a session's.
    about: Option<String>,
    /// `client_id` of who did it.
    actor: Option<String>,
    /// What happened, as in `user.logged_in`.
    what: Option<String>,
    /// The earliest time, RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    from: Option<String>,
    /// How many at most.
    #[schemars(range(min = 1, max = 100), example = 10)]
    limit: Option<u32>,
    /// The last event of the page before.
    cursor: Option<i64>,
}

/// A page of events, the newest first.
#[derive(Debug, Serialize, JsonSchema)]
struct EventList {
    events: Vec<Event>,
    /// Where the list goes on; `null` at its end. Also in the header `Link`.
    next: Option<String>,
}

/// Something that happened.
#[derive(Debug, Serialize, JsonSchema)]
struct Event {
    /// In the order in which they were recorded.
    id: i64,
    #[serde(serialize_with = "timestamp::serialize")]
    at: DateTime<Utc>,
    /// As in `user.logged_in`.
    what: String,
    /// `client_id` of who did it; `null` when nobody was logged in.
    actor: Option<String>,
    /// Whom or what it is about.
    about: Option<String>,
    /// More, such as the address it came from.
    detail: Value,
}

impl From<Recorded> for Event {
    fn from(event: Recorded) -> Self {
        Self {
            id: event.id,
            at: event.at,
            what: event.what,
            actor: event.actor,
            about: event.about,
            detail: event.detail,
        }
    }
}

/// What happened
///
/// Log-ins, changes of people, service accounts, credentials, keys and sessions. The newest first.
#[utoipa::path(
    get,
    path = "/api/audit",
    tag = "Audit",
    params(Of<ListQuery>),
    responses(Reply<200, EventList>),
    security(("bearer" = ["audit:read"]), ("bearer" = ["auth:admin"])),
)]
async fn list(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    drop(auth.caller(&headers, READERS).await?);
    let Query(query) = query?;
    let limit = page::limit(query.limit, ROWS_DEFAULT)?;
    let filter = Filter {
        about: query.about.as_deref(),
        actor: query.actor.as_deref(),
        what: query.what.as_deref().map(known).transpose()?,
        from: query
            .from
            .as_deref()
            .map(|text| time("from", text))
            .transpose()?,
        before: query.cursor,
    };
    let rows = events::page(&auth.pool, &filter, i64::from(limit) + 1).await?;
    let page = Page::cut(rows, limit, PATH, |last| ListQuery {
        about: query.about.clone(),
        actor: query.actor.clone(),
        what: query.what.clone(),
        from: query.from.clone(),
        limit: query.limit,
        cursor: Some(last.id),
    });
    Ok(page.answer(|rows, next| EventList {
        events: rows.into_iter().map(Event::from).collect(),
        next,
    }))
}

/// A name of an event: a misspelt one would look as if nothing had happened.
fn known(what: &str) -> Result<&str, Problem> {
    if names::ALL.iter().any(|(name, _)| *name == what) {
        return Ok(what);
    }
    let all: Vec<_> = names::ALL.iter().map(|(name, _)| *name).collect();
    Err(bad(format!("what is one of {}", all.join(", "))))
}
