//! Batches of payments: taking one in, showing one with the outcome of each payment, listing them.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use common::http::describe::answers::{Problems, Reply, Submission};
use common::http::describe::headers::{Trace, Wait};
use common::http::describe::{Body, Of};
use common::http::page::{self, Page};
use common::http::problem::Problem;
use common::ids::{BatchId, ClientId};
use common::kinds::Answer;
use common::kinds::body::RequestBody as _;
use common::kinds::bulk::{BatchAnswer, BatchRequest, BatchStatus, ItemAnswer, REQUESTED, subject};
use common::kinds::client_request::source;
use common::message::{EventHeaders, Outgoing};
use common::reason::Reason;
use common::service;
use common::service::traces::Span;
use common::timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answers::answer_in_time;
use super::read::{READERS, ROWS_DEFAULT, Whose, client_of};
use super::submit::{
    PROJECTION_WAIT_MAX, decided, json_body, preference_applied, store_message, traceparent,
    wait_preferred,
};
use crate::app::App;
use crate::projection::Log;
use crate::request::{SUBMITTERS, batch_mistake, read_batch};
use crate::store::{self, BatchRow};

/// The answer to a batch that was taken.
#[derive(Debug, Serialize, JsonSchema)]
struct SubmittedBatch {
    batch_id: BatchId,
    /// Its place in the log.
    request_seq: u64,
    status: Standing,
    /// The ledger's answer, if the caller waited for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<BatchAnswer>,
}

/// Where a batch stands.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Standing {
    /// Not answered yet.
    Pending,
    /// Each of its payments has an outcome.
    Answered,
    /// None of its payments was looked at: all of it may be sent again.
    Rejected,
}

/// Pay many at once
///
/// 1 to 1 000 payments in one request, each decided in order as if it had come alone; with `atomic` all are booked, or none.
/// Sending a batch again is safe: each `payment_id` is paid once. Once it is answered, each payment is found by its own id too.
#[utoipa::path(
    post,
    path = "/payment-batches",
    tag = "Payments",
    params(Wait, Trace, Body<BatchRequest>),
    responses(Submission<202, SubmittedBatch>, Problems<409>, Problems<422>, Problems<429>),
    security(("bearer" = ["payments:submit"]), ("bearer" = ["payments:submit-any"]), ("bearer" = ["bank:operate"])),
)]
pub(super) async fn pay_many(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let caller = app.callers.authorize(&headers, SUBMITTERS).await?;
    let body = json_body(&headers, body, BatchRequest::BYTES_MAX)?;
    let batch =
        read_batch(&body).map_err(|reason| Problem::rejected(StatusCode::BAD_REQUEST, &reason))?;
    if let Some(reason) = batch_mistake(&batch, service::now()) {
        return Err(Problem::rejected(StatusCode::UNPROCESSABLE_ENTITY, &reason));
    }
    let batch_id = batch.batch_id;
    let client_id = &caller.claims().client_id;
    let token = app.log_token(&caller).await?;
    let event = EventHeaders {
        ce_type: REQUESTED,
        ce_id: batch_id,
        ce_source: &source(client_id),
    };
    let subject = subject(client_id);
    let span = Span::publish(traceparent(&headers), batch_id);
    let carried = span.traceparent().or(traceparent(&headers));
    let message = Outgoing::of_body(subject, &token, event, carried, body);
    let request_seq = store_message(&app, client_id, message, span).await?;
    let wait_seconds = wait_preferred(&headers);
    let answer = match wait_seconds {
        Some(seconds) => answered(&app, request_seq, Duration::from_secs(seconds)).await,
        None => None,
    };
    let mut response = taken(batch_id, request_seq, answer)?;
    if let Some(seconds) = wait_seconds {
        response.headers_mut().extend([preference_applied(seconds)]);
    }
    Ok(response)
}

/// The ledger's answer, if it comes in time.
async fn answered(app: &App, request_seq: u64, timeout: Duration) -> Option<BatchAnswer> {
    let Answer::Bulk(answer) = answer_in_time(app, request_seq, timeout).await? else {
        tracing::error!(request_seq, "the answer to a batch is another's");
        return None;
    };
    // So that what is read next does not say "pending" again. Without a database it may.
    let log = Log::Settlements;
    app.projection
        .passed(log, request_seq, PROJECTION_WAIT_MAX)
        .await;
    Some(*answer)
}

fn taken(
    batch_id: BatchId,
    request_seq: u64,
    answer: Option<BatchAnswer>,
) -> Result<Response, Problem> {
    let status = match &answer {
        None => Standing::Pending,
        Some(answer) => match answer.status {
            BatchStatus::Answered => Standing::Answered,
            BatchStatus::Rejected => {
                return Err(decided(answer.reason.as_ref())
                    .with("batch_id", batch_id.to_string())
                    .with("request_seq", request_seq)
                    .with("may_retry", answer.may_retry));
            }
        },
    };
    let submitted = SubmittedBatch {
        batch_id,
        request_seq,
        status,
        answer,
    };
    let location = HeaderValue::try_from(format!("/payment-batches/{batch_id}"))
        .expect("a UUID is allowed in a header");
    let mut response = (StatusCode::ACCEPTED, Json(submitted)).into_response();
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

/// A batch as a list shows it.
#[derive(Debug, Serialize, JsonSchema)]
struct BatchSummary {
    request_seq: u64,
    batch_id: BatchId,
    client_id: String,
    status: Standing,
    /// How many of its payments were booked; `null` while pending, as the next two.
    settled: Option<u32>,
    /// How many were refused.
    rejected: Option<u32>,
    /// How many were asked for before.
    duplicates: Option<u32>,
    #[serde(serialize_with = "timestamp::serialize")]
    published_at: DateTime<Utc>,
    /// When the ledger's answer was stored; `null` while pending.
    #[serde(serialize_with = "timestamp::serialize_or_null")]
    decided_at: Option<DateTime<Utc>>,
}

/// A batch with the outcome of each payment.
#[derive(Debug, Serialize, JsonSchema)]
struct PaymentBatch {
    #[serde(flatten)]
    summary: BatchSummary,
    /// Why none of its payments was looked at.
    reason: Option<Reason>,
    /// Whether all was to be booked, or nothing; `null` while pending.
    atomic: Option<bool>,
    /// The debtor of payments that name none.
    debtor_account: Option<common::ids::AccountId>,
    /// The currency of payments that name none.
    currency: Option<String>,
    /// What became of each payment, in the order of the request; empty while pending.
    payments: Vec<ItemAnswer>,
}

impl From<BatchRow> for BatchSummary {
    fn from(row: BatchRow) -> Self {
        let count = |count: Option<i32>| count.and_then(|count| u32::try_from(count).ok());
        Self {
            request_seq: u64::try_from(row.request_seq)
                .expect("constraint payment_batch_request_seq_positive"),
            batch_id: BatchId(row.batch_id),
            client_id: row.client_id,
            status: match row.status.as_str() {
                "answered" => Standing::Answered,
                "rejected" => Standing::Rejected,
                _ => Standing::Pending,
            },
            settled: count(row.settled),
            rejected: count(row.rejected),
            duplicates: count(row.duplicates),
            published_at: row.published_at,
            decided_at: row.decided_at,
        }
    }
}

impl From<BatchRow> for PaymentBatch {
    fn from(mut row: BatchRow) -> Self {
        let answer = row.answer.take().map(|json| {
            serde_json::from_str::<BatchAnswer>(&json)
                .expect("the projection keeps only answers that it could read")
        });
        let summary = row.into();
        match answer {
            None => Self {
                summary,
                reason: None,
                atomic: None,
                debtor_account: None,
                currency: None,
                payments: Vec::new(),
            },
            Some(answer) => Self {
                summary,
                reason: answer.reason,
                atomic: Some(answer.atomic),
                debtor_account: answer.debtor_account,
                currency: answer.currency,
                payments: answer.payments,
            },
        }
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ShowQuery {
    /// Whose batch, when several clients have one with this id. Another's with `bank:operate` only.
    #[schemars(with = "Option<ClientId>")]
    client_id: Option<String>,
}

/// Show a batch
///
/// With the outcome of each payment, once it is answered. What was answered with `202` is found at once.
#[utoipa::path(
    get,
    path = "/payment-batches/{batch_id}",
    tag = "Payments",
    params(
        ("batch_id" = Uuid, Path, description = "The batch.", example = "019a5c3e-7b1a-7c3f-9d43-5b7d3c1f2b00"),
        Of<ShowQuery>,
    ),
    responses(Reply<200, PaymentBatch>, Problems<404>),
    security(("bearer" = ["payments:read"]), ("bearer" = ["bank:operate"])),
)]
pub(super) async fn show_batch(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    path: Result<Path<BatchId>, PathRejection>,
    query: Result<Query<ShowQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let caller = app.callers.authorize(&headers, READERS).await?;
    let (Path(batch_id), Query(query)) = (path?, query?);
    let own = &caller.claims().client_id;
    let whose = match Whose::asked(&caller, query.client_id)? {
        Whose::Clients(client_id) => Some(client_id),
        Whose::Anybodys { .. } => None,
    };
    let find = async || {
        let mut db = app.pool.acquire().await?;
        store::batch(&mut db, batch_id, whose.as_ref(), own).await
    };
    let mut known = find().await?;
    if known.as_ref().is_none_or(|row| row.status != "answered") {
        app.catch_up(Log::Requests).await?;
        drop(app.catch_up(Log::Settlements).await);
        known = find().await?;
    }
    let row = known.ok_or_else(|| {
        let nobody = whose.as_ref().map_or("nobody", ClientId::as_str);
        let detail = format!("{nobody} has no batch {batch_id}");
        Problem::new(StatusCode::NOT_FOUND, detail)
    })?;
    Ok(Json(PaymentBatch::from(row)).into_response())
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// How many at most.
    #[schemars(range(min = 1, max = 100), example = 10)]
    limit: Option<u32>,
    /// Only batches before this request in the log.
    before: Option<u64>,
    /// Whose batches. Another's with `bank:operate` only.
    #[schemars(with = "Option<ClientId>")]
    client_id: Option<String>,
}

/// A page of batches, newest first.
#[derive(Debug, Serialize, JsonSchema)]
struct BatchList {
    batches: Vec<BatchSummary>,
    /// Where the list goes on, towards older ones; `null` at its end. Also in the header `Link`.
    next: Option<String>,
}

/// List batches
///
/// One's own, the newest first; with `bank:operate` those of any client.
#[utoipa::path(
    get,
    path = "/payment-batches",
    tag = "Payments",
    params(Of<ListQuery>),
    responses(Reply<200, BatchList>),
    security(("bearer" = ["payments:read"]), ("bearer" = ["bank:operate"])),
)]
pub(super) async fn list_batches(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let caller = app.callers.authorize(&headers, READERS).await?;
    let Query(query) = query?;
    let limit = page::limit(query.limit, ROWS_DEFAULT)?;
    let client_id = client_of(&caller, query.client_id.clone())?;
    let mut db = app.pool.acquire().await?;
    let rows = store::batches(&mut db, &client_id, query.before, limit + 1).await?;
    let page = Page::cut(rows, limit, "/payment-batches", |last| ListQuery {
        before: u64::try_from(last.request_seq).ok(),
        limit: Some(limit),
        ..query
    });
    Ok(page.answer(|rows, next| BatchList {
        batches: rows.into_iter().map(BatchSummary::from).collect(),
        next,
    }))
}
