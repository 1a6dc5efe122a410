//! What operators did beside the log: replays they started, files they had made. Auditors read it.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use common::http::caller::Caller;
use common::http::describe::Of;
use common::http::describe::answers::Reply;
use common::http::events::{EventList, EventQuery};
use common::http::problem::Problem;
use common::ids::ClientId;
use common::service::now;
use common::token::Scope;
use serde_json::{Value, json};
use uuid::Uuid;

use super::app::App;
use super::replaying::Replay;
use crate::files::KeptFile;
use crate::store::{self, NewEvent};

const READERS: &[Scope] = &[Scope::AuditRead];

const REPLAY_STARTED: &str = "replay.started";
const REPLAY_ENDED: &str = "replay.ended";
pub(super) const FILE_ASKED: &str = "file.asked";
pub(super) const FILE_FETCHED: &str = "file.fetched";
pub(super) const FILE_DELETED: &str = "file.deleted";

/// A name stays what it means for ever, because its rows do.
const NAMES: [&str; 5] = [
    REPLAY_STARTED,
    REPLAY_ENDED,
    FILE_ASKED,
    FILE_FETCHED,
    FILE_DELETED,
];

/// What operators did
///
/// Replays that were started and how each ended; files that staff and auditors asked for, fetched and deleted. The newest
/// first. A replay without an end was running when its ledger ended. What operators asked of the books stands in the log.
#[utoipa::path(
    get,
    path = "/audit/events",
    tag = "Audit",
    params(Of<EventQuery>),
    responses(Reply<200, EventList>),
    security(("bearer" = ["audit:read"])),
)]
pub(super) async fn events(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    query: Result<Query<EventQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    app.caller(&headers, READERS).await?;
    let Query(query) = query?;
    let filter = query.read(NAMES.into_iter())?;
    let rows = store::event_page(&app.pool, &query, &filter).await?;
    Ok(query.answer(rows, &filter, "/audit/events"))
}

/// The `client_id` of an operator; `None` for a customer, whose own files are nobody else's business, and who shall not fill
/// the table.
pub(super) fn operator(caller: &Caller<'_>) -> Option<ClientId> {
    let claims = caller.claims();
    let is_operator = claims.allows_any(&[Scope::BankOperate, Scope::AuditRead]);
    is_operator.then(|| claims.client_id.clone())
}

/// Notes what an operator does with a file.
///
/// # Errors
/// 503 when the database is away: what is not noted shall not be done.
pub(super) async fn filed(
    app: &App,
    operator: Option<&ClientId>,
    what: &'static str,
    file: &KeptFile,
) -> Result<(), Problem> {
    let Some(operator) = operator else {
        return Ok(());
    };
    let detail = json!({"name": file.file_name, "holds": file.about});
    record(app, what, operator.as_str(), file.id, detail).await
}

/// Notes that a replay begins.
///
/// # Errors
/// 503 when the database is away.
pub(super) async fn replay_started(app: &App, replay: &Replay) -> Result<(), Problem> {
    record(
        app,
        REPLAY_STARTED,
        &replay.started_by,
        replay.id,
        json!({}),
    )
    .await
}

/// Notes how a replay ended, if the database takes it. It may have ended because of the database.
pub(super) async fn replay_ended(app: &App, replay: &Replay) {
    let detail = json!({"state": replay.state, "requests": replay.done, "detail": replay.detail});
    let noted = record(app, REPLAY_ENDED, &replay.started_by, replay.id, detail);
    if noted.await.is_err() {
        tracing::warn!(id = %replay.id, state = ?replay.state, "the end of a replay is not in the history");
    }
}

async fn record(
    app: &App,
    what: &'static str,
    actor: &str,
    about: Uuid,
    detail: Value,
) -> Result<(), Problem> {
    let event = NewEvent {
        at: now(),
        what,
        actor,
        about,
        detail,
    };
    Ok(store::record_event(&app.pool, &event).await?)
}
