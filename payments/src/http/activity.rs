//! What the bank is doing: payments by the second, how long they take, how far the projection is.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use common::broker;
use common::http::describe::answers::Reply;
use common::http::problem::Problem;
use common::service::now;
use common::token::Scope;
use common::wire::SETTLEMENTS;
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;
use crate::projection::{Log, Second};

const READERS: &[Scope] = &[Scope::BankOperate, Scope::AuditRead];

/// The last five minutes, as this process of payments has projected them.
#[derive(Debug, Serialize, JsonSchema)]
struct Activity {
    now: DateTime<Utc>,
    /// The last answer that is projected.
    projected: u64,
    /// The last answer in the log.
    settlements: u64,
    /// Seconds in which payments were decided, in order.
    seconds: Vec<ActiveSecond>,
}

/// The payments that were decided in one second.
#[derive(Debug, Serialize, JsonSchema)]
struct ActiveSecond {
    /// Seconds since 1970.
    at: i64,
    settled: u64,
    rejected: u64,
    /// From the request's timestamp to the answer's, in microseconds.
    p50_us: u64,
    p99_us: u64,
}

impl From<&Second> for ActiveSecond {
    fn from(second: &Second) -> Self {
        Self {
            at: second.second,
            settled: second.settled,
            rejected: second.rejected,
            p50_us: second.latency_us(50),
            p99_us: second.latency_us(99),
        }
    }
}

/// Show what happens
///
/// The payments of the last five minutes by the second, how long they took, and how far they are projected; of this process.
#[utoipa::path(
    get,
    path = "/activity",
    tag = "Activity",
    responses(Reply<200, Activity>),
    security(("bearer" = ["bank:operate"]), ("bearer" = ["audit:read"])),
)]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    app.callers.authorize(&headers, READERS).await?;
    let settlements = broker::last_sequence(&app.jetstream, SETTLEMENTS).await;
    let settlements = settlements.map_err(|error| Problem::unavailable("the broker", &error))?;
    Ok(Json(Activity {
        now: now(),
        projected: app.projection.at(Log::Settlements),
        settlements,
        seconds: app
            .projection
            .activity
            .seconds(|second| ActiveSecond::from(second)),
    })
    .into_response())
}

/// When one answer was projected.
#[derive(Debug, Serialize, JsonSchema)]
struct Projected {
    request_seq: u64,
    /// `null` when this process has not projected it, or no longer knows when.
    projected_at: Option<DateTime<Utc>>,
}

/// Show when an answer was projected
///
/// It is known of the last few thousand batches that this process projected; otherwise it is `null`.
#[utoipa::path(
    get,
    path = "/activity/{request_seq}",
    tag = "Activity",
    params(("request_seq" = u64, Path, description = "The answer's place in the log.", example = 1)),
    responses(Reply<200, Projected>),
    security(("bearer" = ["bank:operate"]), ("bearer" = ["audit:read"])),
)]
pub(super) async fn projected(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    seq: Result<Path<u64>, PathRejection>,
) -> Result<Response, Problem> {
    app.callers.authorize(&headers, READERS).await?;
    let Path(request_seq) = seq?;
    Ok(Json(Projected {
        request_seq,
        projected_at: app.projection.activity.projected_at(request_seq),
    })
    .into_response())
}
