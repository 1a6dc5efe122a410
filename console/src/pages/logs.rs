//! What services logged, the newest first, with filters that stand in the address.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::app::App;
use crate::operator::Operator;
use crate::page::{Frame, html};
use crate::show::{Id, Source, Time};

const SERVICES: [&str; 4] = ["auth", "ledger", "payments", "console"];
const LEVELS: [&str; 4] = ["error", "warn", "info", "debug"];

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Filter {
    service: String,
    level: String,
    trace: String,
    payment: String,
    request: String,
    since: String,
    before: String,
}

struct Row {
    at: Time,
    service: String,
    level: String,
    message: String,
    detail: String,
    trace: Option<Id>,
    payment: Option<Id>,
    request_seq: Option<u64>,
}

#[derive(Template)]
#[template(path = "logs.html")]
struct LogsPage {
    frame: Frame,
    filter: Filter,
    services: [&'static str; 4],
    levels: [&'static str; 4],
    rows: Source<Vec<Row>>,
    next: Option<String>,
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    who: Operator,
    Query(filter): Query<Filter>,
) -> Response {
    let query = [
        ("service", &filter.service),
        ("level", &filter.level),
        ("trace", &filter.trace),
        ("payment", &filter.payment),
        ("request", &filter.request),
        ("since", &filter.since),
        ("before", &filter.before),
    ];
    let query = query.into_iter().map(|(name, value)| (name, value.trim()));
    let query = query.filter(|(_, value)| !value.is_empty());
    let query: Vec<_> = query
        .map(|(name, value)| (name, value.to_owned()))
        .collect();
    let found = app.client.logs(&who.token, &query).await;
    let next = who.next(&found, "/logs");
    let rows = found.map(|page| {
        let lines = page["lines"].as_array().cloned().unwrap_or_default();
        lines.iter().map(|line| row(line, &who)).collect()
    });
    html(&LogsPage {
        frame: who.frame("Logs", "Logs"),
        filter,
        services: SERVICES,
        levels: LEVELS,
        rows: rows.map_err(Into::into),
        next,
    })
}

fn row(line: &Value, who: &Operator) -> Row {
    let word = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
    // What would not be itself in an address leads nowhere.
    let id = |name: &str, filter: &str| {
        let id = line[name].as_str()?;
        let is_plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let path = if is_plain {
            format!("/logs?{filter}={id}")
        } else {
            "/logs".to_owned()
        };
        Some(Id::link(id, &who.prefix, &path))
    };
    let fields = line["fields"].as_object().into_iter().flatten();
    let detail: Vec<_> = fields
        .map(|(name, value)| match value {
            Value::String(text) => format!("{name} {text}"),
            other => format!("{name} {other}"),
        })
        .collect();
    let at = if line["at"].is_null() {
        &line["received_at"]
    } else {
        &line["at"]
    };
    Row {
        at: Time::of(at),
        service: word("service"),
        level: word("level").to_lowercase(),
        message: word("message"),
        detail: detail.join(", "),
        trace: id("trace_id", "trace"),
        payment: id("payment_id", "payment"),
        request_seq: line["request_seq"].as_u64(),
    }
}
