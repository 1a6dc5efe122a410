//! `GET /api/logs/`: what services logged, for auditors and administrators.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use common::http::describe::Of;
use common::http::describe::answers::{Problems, Reply};
use common::http::page;
use common::http::problem::Problem;
use common::message::text;
use common::timestamp;
use common::token::Scope;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::Auth;
use crate::logs::{Found, Level, Wanted};
use common::http::queries::{bad, time};

const READERS: &[Scope] = &[Scope::AuditRead, Scope::AuthAdmin];
/// Lines in a list, unless asked for otherwise.
const ROWS_DEFAULT: u32 = 100;
/// A line is a tenth of a screen.
const ROWS_MAX: u32 = 500;

const PATH: &str = "/api/logs";

pub(super) fn routes() -> OpenApiRouter<Arc<Auth>> {
    OpenApiRouter::new().routes(routes!(list))
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Of this service: `auth`, `ledger`, `payments` or `console`.
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    /// As grave as this, or graver: `debug`, `info`, `warn`, `error`.
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<String>,
    /// Of this trace: the 32 hex digits in a `traceparent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
    /// Of this payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    payment: Option<String>,
    /// Of the request with this `X-Request-Id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<String>,
    /// Those that the broker got since, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    since: Option<String>,
    /// Those before this place, the newest first; without it, the newest of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<u64>,
    /// Instead of `before`: those behind this place, in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<u64>,
    /// How many at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 500), example = 10)]
    limit: Option<u32>,
}

/// Lines, and how far they were looked for.
#[derive(Debug, Serialize, JsonSchema)]
struct LineList {
    lines: Vec<LogLine>,
    /// The first place that was looked at: `before` for what is older.
    first: u64,
    /// The last place that was looked at: `after` for what comes next.
    last: u64,
    /// Where the list goes on; `null` at its end. A page may be empty all the same: a search is cut after 20 000 lines. Also in
    /// the header `Link`.
    next: Option<String>,
}

/// What a service logged.
#[derive(Debug, Serialize, JsonSchema)]
struct LogLine {
    /// Its place in the stream.
    place: u64,
    /// When it was written, as the service says.
    at: Option<String>,
    /// When the broker got it.
    #[serde(serialize_with = "timestamp::serialize")]
    received_at: DateTime<Utc>,
    /// Who published it.
    service: String,
    level: Option<String>,
    /// The sentence.
    message: String,
    trace_id: Option<String>,
    /// The `X-Request-Id` of the request over HTTP.
    request_id: Option<String>,
    /// The request's place in the log of requests.
    request_seq: Option<u64>,
    payment_id: Option<String>,
    /// What else it says.
    fields: Map<String, Value>,
    /// Where in the program it was written.
    target: Option<String>,
}

impl From<Found> for LogLine {
    fn from(found: Found) -> Self {
        let Found { published, line } = found;
        let word = |name: &str| line[name].as_str().map(str::to_owned);
        let mut fields = line["fields"].as_object().cloned().unwrap_or_default();
        let message = match fields.remove("message") {
            Some(Value::String(message)) => message,
            Some(other) => other.to_string(),
            None if line.is_null() => text(&published.line).into_owned(),
            None => String::new(),
        };
        Self {
            place: published.sequence,
            at: word("timestamp"),
            received_at: published.at,
            service: published.service,
            level: word("level"),
            message,
            trace_id: word("trace_id"),
            request_id: word("request_id"),
            request_seq: line["request_seq"].as_u64(),
            payment_id: word("payment_id"),
            fields,
            target: word("target"),
        }
    }
}

/// What services logged
///
/// The newest first, or with `after` those that came since, in order. Lines are kept for seven days, or fewer when there are
/// many.
#[utoipa::path(
    get,
    path = "/api/logs",
    tag = "Logs",
    params(Of<ListQuery>),
    responses(Reply<200, LineList>, Problems<503>),
    security(("bearer" = ["audit:read"]), ("bearer" = ["auth:admin"])),
)]
async fn list(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    drop(auth.caller(&headers, READERS).await?);
    let Query(query) = query?;
    let limit = page::limit_within(query.limit, ROWS_DEFAULT, ROWS_MAX)?;
    let limit = usize::try_from(limit).expect("some hundred");
    let wanted = Wanted {
        service: query.service.as_deref(),
        level: query.level.as_deref().map(level).transpose()?,
        trace: query.trace.as_deref(),
        payment: query.payment.as_deref(),
        request: query.request.as_deref(),
        since: query
            .since
            .as_deref()
            .map(|text| time("since", text))
            .transpose()?,
    };
    let found = match (query.before, query.after) {
        (Some(_), Some(_)) => return Err(bad("give before or after, not both")),
        (before, None) => auth.logs.before(&wanted, before, limit).await,
        (None, Some(after)) => auth.logs.after(&wanted, after, limit).await,
    };
    let part = found.map_err(|error| Problem::unavailable("the broker", &error))?;
    let mut next = query.clone();
    match query.after {
        None => next.before = Some(part.first),
        Some(_) => next.after = Some(part.last),
    }
    let next = part.goes_on.then(|| page::path_with(PATH, &next));
    let link = next.as_deref().map(|next| [page::link_to(next)]);
    let list = LineList {
        lines: part.lines.into_iter().map(LogLine::from).collect(),
        first: part.first,
        last: part.last,
        next,
    };
    Ok((link, Json(list)).into_response())
}

fn level(text: &str) -> Result<Level, Problem> {
    Level::named(text).ok_or_else(|| bad("level is one of debug, info, warn, error"))
}
