//! The log for auditors and operators: message N of REQUESTS and answer N side by side, and lists of them.
//!
//! No token leaves here: of the headers only those that say what a message is, and what looks like a token in a text that
//! somebody sent is blotted out ([`redact`]).

mod lines;
mod redact;

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use common::broker;
use common::http::describe::Of;
use common::http::describe::answers::{Problems, Reply};
use common::http::page;
use common::http::problem::Problem;
use common::kinds::form::Form;
use common::message::Stored;
use common::token::Scope;
use common::wire::{CE_TYPE, REQUESTS, SETTLEMENTS, TRACEPARENT};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::app::App;
use crate::engine::BatchSteps;
use crate::statement::just_behind;
use crate::store;
use redact::redacted;

pub(super) use self::lines::lines;

const READERS: &[Scope] = &[Scope::AuditRead];
/// Entries in a list, unless asked for otherwise.
const ROWS_DEFAULT: u32 = 50;
/// Bytes of a body that are shown as text when it is no JSON.
const TEXT_BYTES_MAX: usize = 4096;

/// One place in the log, in a list.
#[derive(Debug, Serialize, JsonSchema)]
struct Entry {
    seq: u64,
    /// The second word of the subject, such as `payment`.
    kind: String,
    /// `pending` while there is no answer, else the second word of its type, such as `settled`.
    status: String,
    /// ISO 20022 code of a rejection.
    reason: Option<String>,
    /// Whose request it is; from the subject as long as it has no answer.
    client_id: Option<String>,
    /// What it is about: the id of a payment, an account or a key.
    about: Option<String>,
    /// Decimal text, of a payment.
    amount: Option<String>,
    currency: Option<String>,
    /// The broker's timestamp of the request.
    published_at: DateTime<Utc>,
    trace_id: Option<String>,
}

/// A page of the log, the newest first.
#[derive(Debug, Serialize, JsonSchema)]
struct LogList {
    entries: Vec<Entry>,
    /// The last request that is decided.
    decided: u64,
    /// Where the list goes on, towards older entries; `null` at its end. A page may be empty and still go on: a filter
    /// looks through a bounded number of entries at a time.
    next: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// How many at most.
    #[schemars(range(min = 1, max = 100), example = 10)]
    limit: Option<u32>,
    /// Entries before this sequence.
    before: Option<u64>,
    /// Entries from this sequence on, upwards: what a live tail asks for.
    from: Option<u64>,
    /// Entries published until this time.
    until: Option<DateTime<Utc>>,
    /// The second word of the subject, such as `payment`; several with commas between them.
    kind: Option<String>,
    /// `pending`, or the second word of the answer's type, such as `settled`.
    status: Option<String>,
    /// Whose requests.
    client_id: Option<String>,
    /// The payment that it is about.
    payment_id: Option<Uuid>,
    /// The trace: 32 hex digits.
    trace_id: Option<String>,
}

impl ListQuery {
    fn filter(&self) -> store::LogFilter<'_> {
        store::LogFilter {
            kind: self.kind.as_deref(),
            status: self.status.as_deref(),
            client_id: self.client_id.as_deref(),
            payment_id: self.payment_id,
            trace_id: self.trace_id.as_deref(),
        }
    }

    fn is_plain(&self) -> bool {
        self.kind.is_none()
            && self.status.is_none()
            && self.client_id.is_none()
            && self.payment_id.is_none()
            && self.trace_id.is_none()
    }
}

/// List the log
///
/// Requests and what became of them, the newest first, with filters. Requests that wait for their answer are listed when
/// nothing but a status of `pending` is asked for. A page looks through 20 000 entries at most, so it may be short, or
/// empty, and still go on.
#[utoipa::path(
    get,
    path = "/log",
    tag = "Log",
    params(Of<ListQuery>),
    responses(Reply<200, LogList>),
    security(("bearer" = ["audit:read"])),
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    app.caller(&headers, READERS).await?;
    let Query(query) = query?;
    let limit = page::limit(query.limit, ROWS_DEFAULT)?;
    let decided = store::cursor(&app.pool).await?.seq;
    let newest = match (query.before, query.until) {
        (Some(before), _) => before.saturating_sub(1),
        (None, Some(until)) => {
            let decided_by = store::seq_before(&app.pool, just_behind(until)).await?;
            decided_by.min(decided)
        }
        (None, None) => u64::MAX,
    };
    let mut entries = Vec::new();
    // What waits for its answer is read from the log itself.
    if newest > decided && (query.is_plain() || query.status.as_deref() == Some("pending")) {
        let end = broker::last_sequence(&app.jetstream, REQUESTS).await;
        let end = end.map_err(|error| Problem::unavailable("the broker", &error))?;
        let waiting = (decided + 1..=newest.min(end)).rev();
        for seq in waiting.take(usize::try_from(limit).unwrap_or(usize::MAX)) {
            entries.extend(pending(&app, seq).await?);
        }
    }
    let last = newest.min(decided);
    let room = i64::from(limit) - i64::try_from(entries.len()).unwrap_or(i64::MAX);
    let floor = (last + 1).saturating_sub(store::SCANNED_MAX).max(1);
    let floor = floor.max(query.from.unwrap_or(1));
    let mut lowest = entries.last().map_or(last + 1, |entry: &Entry| entry.seq);
    if room > 0 {
        let rows = store::log_page(&app.pool, floor, last, query.filter(), room).await?;
        let is_full = i64::try_from(rows.len()).is_ok_and(|count| count == room);
        entries.extend(rows.into_iter().map(Entry::from));
        lowest = match entries.last() {
            Some(entry) if is_full => entry.seq,
            Some(_) | None => floor,
        };
    }
    let goes_on = lowest > query.from.unwrap_or(1).max(1);
    let next = goes_on.then(|| {
        let next = ListQuery {
            before: Some(lowest),
            until: None,
            ..query
        };
        page::path_with("/log", &next)
    });
    let link = next.as_deref().map(page::link_to);
    let list = LogList {
        entries,
        decided,
        next,
    };
    Ok((link.map(|link| [link]), Json(list)).into_response())
}

async fn pending(app: &App, seq: u64) -> Result<Option<Entry>, Problem> {
    Ok(message(app, REQUESTS, seq).await?.map(|stored| Entry {
        seq,
        kind: word(&stored.subject, 1).to_owned(),
        status: "pending".to_owned(),
        reason: None,
        client_id: Some(word(&stored.subject, 3).to_owned()).filter(|id| !id.is_empty()),
        about: None,
        amount: None,
        currency: None,
        published_at: stored.published_at,
        trace_id: stored.header(TRACEPARENT).and_then(trace_id),
    }))
}

impl From<store::LogRow> for Entry {
    fn from(row: store::LogRow) -> Self {
        // Its own answers can be read; if not, a person sees at least that there is one.
        let body: Value = serde_json::from_slice(&row.body).unwrap_or_default();
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        let about = ["payment_id", "account_id", "kid"]
            .into_iter()
            .find_map(text);
        Self {
            seq: u64::try_from(row.request_seq).unwrap_or_default(),
            kind: word(&row.subject, 1).to_owned(),
            status: word(&row.event_type, 1).to_owned(),
            reason: row.reason,
            client_id: row.client_id.or_else(|| text("client_id")),
            about,
            amount: text("amount"),
            currency: text("currency"),
            published_at: row.published_at,
            trace_id: row.traceparent.as_deref().and_then(trace_id),
        }
    }
}

fn word(dotted: &str, at: usize) -> &str {
    dotted.split('.').nth(at).unwrap_or_default()
}

/// The trace of a W3C `traceparent`.
fn trace_id(traceparent: &str) -> Option<String> {
    let trace = traceparent.split('-').nth(1)?;
    let is_trace = trace.len() == 32 && trace.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_trace.then(|| trace.to_owned())
}

/// Message N of REQUESTS and message N of SETTLEMENTS.
#[derive(Debug, Serialize, JsonSchema)]
struct Pair {
    seq: u64,
    request: Message,
    /// `null` while there is none.
    answer: Option<Message>,
    /// When its batch went through each step; `null` when this process does not remember it.
    steps: Option<StepTimes>,
}

/// A message as it stands in its stream, without what is secret.
#[derive(Debug, Serialize, JsonSchema)]
struct Message {
    subject: String,
    /// Its `ce-type`.
    event_type: Option<String>,
    /// The broker's timestamp.
    published_at: DateTime<Utc>,
    /// What it says of itself, in order; never a token.
    headers: Vec<(String, String)>,
    /// Bytes of its body.
    size: usize,
    /// Its body, if that is JSON.
    json: Option<Value>,
    /// Otherwise its beginning as text.
    text: Option<String>,
    /// The schema in `schemas/` that it was compared with; `null` for a kind that nobody knows.
    schema: Option<String>,
    /// What does not fit that schema; `null` when all does.
    mismatch: Option<String>,
}

/// When the batch of a request went through each step, by the clock of the ledger's machine.
#[derive(Debug, Serialize, JsonSchema)]
struct StepTimes {
    batch_first: u64,
    batch_last: u64,
    read_at: DateTime<Utc>,
    decided_at: DateTime<Utc>,
    booked_at: Option<DateTime<Utc>>,
    published_at: Option<DateTime<Utc>>,
}

impl From<BatchSteps> for StepTimes {
    fn from(steps: BatchSteps) -> Self {
        Self {
            batch_first: steps.first,
            batch_last: steps.last,
            read_at: steps.read_at,
            decided_at: steps.decided_at,
            booked_at: steps.booked_at,
            published_at: steps.published_at,
        }
    }
}

/// Show message N of both streams
///
/// The request and its answer side by side, as they are stored. No token is shown: of the headers only those of the
/// contract, and what looks like a token in a text that somebody sent is blotted out.
#[utoipa::path(
    get,
    path = "/log/{seq}",
    tag = "Log",
    params(("seq" = u64, Path, description = "The place in the log, from 1.", example = 1)),
    responses(Reply<200, Pair>, Problems<404>),
    security(("bearer" = ["audit:read"])),
)]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    seq: Result<Path<u64>, PathRejection>,
) -> Result<Response, Problem> {
    app.caller(&headers, READERS).await?;
    let Path(seq) = seq?;
    let (request, answer) = tokio::join!(
        message(&app, REQUESTS, seq),
        message(&app, SETTLEMENTS, seq)
    );
    let Some(request) = request? else {
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            format!("the log has no message {seq}"),
        ));
    };
    let pair = Pair {
        seq,
        request: Message::of_request(request),
        answer: answer?.map(Message::of_answer),
        steps: app.steps.of(seq).map(StepTimes::from),
    };
    Ok(Json(pair).into_response())
}

async fn message(app: &App, stream: &str, seq: u64) -> Result<Option<Stored>, Problem> {
    if seq == 0 {
        return Ok(None);
    }
    let got = broker::get(&app.jetstream, stream, seq).await;
    got.map_err(|error| Problem::unavailable("the broker", &error))
}

impl Message {
    fn of_request(stored: Stored) -> Self {
        let form = Form::of_request(&stored);
        Self::of(stored, form)
    }

    fn of_answer(stored: Stored) -> Self {
        let form = Form::of_answer(&stored);
        Self::of(stored, form)
    }

    fn of(stored: Stored, form: Form) -> Self {
        let json: Option<Value> = serde_json::from_slice(&stored.payload).ok();
        let beginning = &stored.payload[..stored.payload.len().min(TEXT_BYTES_MAX)];
        let text = json
            .is_none()
            .then(|| redacted(&String::from_utf8_lossy(beginning)));
        let shown = stored.headers.iter().filter(|(name, _)| is_shown(name));
        Self {
            event_type: stored.header(CE_TYPE).map(redacted),
            published_at: stored.published_at,
            headers: shown
                .map(|(name, value)| (name.to_owned(), redacted(value)))
                .collect(),
            size: stored.payload.len(),
            json: json.map(redact::redacted_json),
            text,
            subject: redacted(&stored.subject),
            schema: form.schema.map(str::to_owned),
            mismatch: form.mismatch.as_deref().map(redacted),
        }
    }
}

/// The headers of the contract. `Authorization` is none of them here, and neither is what a stranger made up.
fn is_shown(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("ce-") || name == TRACEPARENT || name == "quittance-chain"
}
