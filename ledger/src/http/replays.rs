//! Starting a replay beside the running ledger, and looking at it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use common::http::describe::answers::{Problems, Reply};
use common::http::problem::Problem;
use common::token::Scope;
use schemars::JsonSchema;
use serde::Serialize;

use super::app::App;
use super::events;
use super::replaying::Replay;

const READERS: &[Scope] = &[Scope::AuditRead];

/// The replays that are remembered.
#[derive(Debug, Serialize, JsonSchema)]
struct Replays {
    /// The newest first.
    replays: Vec<Replay>,
}

/// Start a replay
///
/// The whole log is decided again, beside the running ledger, and compared with what is published and stored. One at a time.
#[utoipa::path(
    post,
    path = "/audit/replays",
    tag = "Audit",
    responses(Reply<202, Replay>, Problems<409>),
    security(("bearer" = ["audit:read"])),
)]
pub(super) async fn start(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = app.caller(&headers, READERS).await?;
    let started_by = caller.claims().client_id.to_string();
    let Some(replay) = app.replaying.begin(started_by) else {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "a replay runs already; one at a time",
        ));
    };
    // Whoever asked may hang up meanwhile; what has begun must run or be taken back all the same.
    let noted = tokio::spawn(note_and_run(app, replay.clone())).await;
    noted.expect("noting does not panic")?;
    Ok((StatusCode::ACCEPTED, Json(replay)).into_response())
}

async fn note_and_run(app: Arc<App>, replay: Replay) -> Result<(), Problem> {
    if let Err(problem) = events::replay_started(&app, &replay).await {
        app.replaying.take_back();
        return Err(problem);
    }
    tokio::spawn(async move {
        if let Some(ended) = app.replaying.run().await {
            events::replay_ended(&app, &ended).await;
        }
    });
    Ok(())
}

/// List the replays
///
/// Those of this process of the ledger, the newest first, with progress and verdict.
#[utoipa::path(
    get,
    path = "/audit/replays",
    tag = "Audit",
    responses(Reply<200, Replays>),
    security(("bearer" = ["audit:read"])),
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    app.caller(&headers, READERS).await?;
    let replays = app.replaying.all();
    Ok(Json(Replays { replays }).into_response())
}
