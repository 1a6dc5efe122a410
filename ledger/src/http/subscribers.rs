//! Who reads the settlements: each durable consumer, how far it is and what it has not acknowledged.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use common::broker;
use common::http::describe::answers::Reply;
use common::http::problem::Problem;
use common::token::Scope;
use common::wire::SETTLEMENTS;
use schemars::JsonSchema;
use serde::Serialize;

use super::app::App;

const READERS: &[Scope] = &[Scope::BankOperate, Scope::AuditRead];

/// One durable consumer of the settlements.
#[derive(Debug, Serialize, JsonSchema)]
struct Subscriber {
    /// Its name: the client's id.
    name: String,
    /// The answers that it gets: `settlement.*.v1.shop`.
    subject: String,
    /// Answers that wait for it.
    pending: u64,
    /// Answers that it was given and has not acknowledged.
    unacknowledged: u64,
    /// Answers that it was given more than once.
    redelivered: u64,
    /// Pulls that wait for an answer now: above zero while it listens.
    pulls: u64,
    /// The last answer that it was given.
    delivered_seq: u64,
    /// All its answers up to here are acknowledged.
    acknowledged_seq: u64,
    /// When it was last given one.
    delivered_at: Option<DateTime<Utc>>,
    /// When it last acknowledged one.
    acknowledged_at: Option<DateTime<Utc>>,
}

/// Who reads the settlements.
#[derive(Debug, Serialize, JsonSchema)]
struct Subscribers {
    subscribers: Vec<Subscriber>,
}

/// List the subscribers
///
/// The durable consumers of the settlements: how far each is, and what it has not acknowledged.
#[utoipa::path(
    get,
    path = "/subscribers",
    tag = "Log",
    responses(Reply<200, Subscribers>),
    security(("bearer" = ["bank:operate"]), ("bearer" = ["audit:read"])),
)]
pub(super) async fn subscribers(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    app.caller(&headers, READERS).await?;
    let consumers = broker::durable_consumers(&app.jetstream, SETTLEMENTS).await;
    let consumers = consumers.map_err(|error| Problem::unavailable("the broker", &error))?;
    let subscribers = consumers
        .into_iter()
        .map(|info| Subscriber {
            subject: info.config.filter_subject,
            pending: info.num_pending,
            unacknowledged: u64::try_from(info.num_ack_pending).unwrap_or(u64::MAX),
            redelivered: u64::try_from(info.num_redelivered).unwrap_or(u64::MAX),
            pulls: u64::try_from(info.num_waiting).unwrap_or(u64::MAX),
            delivered_seq: info.delivered.stream_sequence,
            acknowledged_seq: info.ack_floor.stream_sequence,
            delivered_at: info.delivered.last_active,
            acknowledged_at: info.ack_floor.last_active,
            name: info.name,
        })
        .collect();
    Ok(Json(Subscribers { subscribers }).into_response())
}
