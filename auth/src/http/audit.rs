//! `GET /api/audit/`: what happened in auth, the newest first, for auditors and administrators.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use common::http::describe::Of;
use common::http::describe::answers::Reply;
use common::http::events::{EventList, EventQuery};
use common::http::problem::Problem;
use common::token::Scope;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::Auth;
use crate::store::events::{self, names};

const READERS: &[Scope] = &[Scope::AuditRead, Scope::AuthAdmin];

const PATH: &str = "/api/audit";

pub(super) fn routes() -> OpenApiRouter<Arc<Auth>> {
    OpenApiRouter::new().routes(routes!(list))
}

/// What happened
///
/// Log-ins, changes of people, service accounts, credentials, keys and sessions. The newest first.
#[utoipa::path(
    get,
    path = "/api/audit",
    tag = "Audit",
    params(Of<EventQuery>),
    responses(Reply<200, EventList>),
    security(("bearer" = ["audit:read"]), ("bearer" = ["auth:admin"])),
)]
async fn list(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    query: Result<Query<EventQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    drop(auth.caller(&headers, READERS).await?);
    let Query(query) = query?;
    let filter = query.read(names::ALL.iter().map(|(name, _)| *name))?;
    let rows = events::page(&auth.pool, &query, &filter).await?;
    Ok(query.answer(rows, &filter, PATH))
}
