//! One line: JSON, with the ids that people search by in front, of bounded length, and without secrets.

use std::borrow::Cow;
use std::fmt::{Debug, Write as _};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::service::now;
use crate::wire;

/// What one field may say. A line with more is no use to anybody who reads it.
const VALUE_BYTES_MAX: usize = 2 * 1024;
/// A longer line keeps its sentence and its ids only.
pub(super) const LINE_BYTES_MAX: usize = 8 * 1024;
/// Fields with these names are ids of a payment and stand in front.
const IDS: [&str; 3] = ["trace_id", "request_seq", "payment_id"];
/// Nothing logs these; a mistake must not bring them out.
const SECRETS: [&str; 6] = [
    "authorization",
    "password",
    "secret",
    "token",
    "otp",
    "cookie",
];
/// What stands in place of a secret.
const HIDDEN: &str = "[hidden]";
/// Every JWT begins like this: `{"` in base64.
const TOKEN_START: &str = "eyJ";
/// Shorter words are no tokens.
const TOKEN_BYTES_MIN: usize = 20;

tokio::task_local! {
    static IDS_HERE: Ids;
}

/// What a request over HTTP is called by whoever sent it.
#[derive(Debug, Clone)]
pub struct Ids {
    traceparent: Option<HeaderValue>,
    request_id: Option<HeaderValue>,
}

impl Ids {
    /// Runs `work`, whose lines carry these ids.
    pub async fn scope<F: Future>(self, work: F) -> F::Output {
        IDS_HERE.scope(self, work).await
    }
}

/// The ids of a request, if it has any. They are copied by reference, and read only when something is logged.
#[must_use]
pub fn ids_of(headers: &HeaderMap) -> Option<Ids> {
    static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
    let traceparent = headers.get(wire::TRACEPARENT).cloned();
    let request_id = headers.get(&X_REQUEST_ID).cloned();
    (traceparent.is_some() || request_id.is_some()).then_some(Ids {
        traceparent,
        request_id,
    })
}

/// Writes lines of this service.
pub(super) struct JsonLine {
    pub(super) service: &'static str,
}

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        let line = text_of(
            self.service,
            metadata.level().as_str(),
            metadata.target(),
            fields.0,
        );
        writer.write_str(&line)?;
        writer.write_char('\n')
    }
}

fn text_of(service: &str, level: &str, target: &str, mut fields: Map<String, Value>) -> String {
    let timestamp = now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let mut line = Map::new();
    line.insert("timestamp".to_owned(), timestamp.into());
    line.insert("level".to_owned(), level.into());
    line.insert("service".to_owned(), service.into());
    for (name, value) in ids_here() {
        line.insert(name.to_owned(), value.into());
    }
    for name in IDS {
        if let Some(value) = fields.remove(name) {
            line.insert(name.to_owned(), value);
        }
    }
    let message = fields.get("message").cloned().unwrap_or_default();
    line.insert("fields".to_owned(), Value::Object(fields));
    line.insert("target".to_owned(), target.into());
    let mut text = Value::Object(line.clone()).to_string();
    if text.len() > LINE_BYTES_MAX {
        let left = json!({"message": message, "shortened": true});
        line.insert("fields".to_owned(), left);
        text = Value::Object(line).to_string();
    }
    without_tokens(&text).into_owned()
}

/// The ids of the request that is being answered.
fn ids_here() -> Vec<(&'static str, String)> {
    let ids = IDS_HERE.try_with(|ids| {
        let text = |value: &Option<HeaderValue>| Some(value.as_ref()?.to_str().ok()?.to_owned());
        let traceparent = text(&ids.traceparent).filter(|text| wire::is_traceparent(text));
        let trace = traceparent.map(|text| ("trace_id", wire::trace_id(&text).to_owned()));
        let request = text(&ids.request_id).filter(|text| is_request_id(text));
        [trace, request.map(|text| ("request_id", text))]
    });
    ids.into_iter().flatten().flatten().collect()
}

/// As the gateway takes one from a client (`gateway/nginx.conf`).
fn is_request_id(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    (1..=64).contains(&text.len()) && text.bytes().all(is_plain)
}

/// The text with a word in place of everything that looks like a JWT.
fn without_tokens(text: &str) -> Cow<'_, str> {
    if !text.contains(TOKEN_START) {
        return Cow::Borrowed(text);
    }
    let is_of_token = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(TOKEN_START) {
        let (before, token) = rest.split_at(at);
        out.push_str(before);
        let end = token.bytes().position(|b| !is_of_token(b));
        let (token, behind) = token.split_at(end.unwrap_or(token.len()));
        let is_token = token.len() >= TOKEN_BYTES_MIN;
        out.push_str(if is_token { HIDDEN } else { token });
        rest = behind;
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The fields of an event.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn note(&mut self, field: &Field, value: Value) {
        let is_secret = SECRETS.contains(&field.name());
        let value = if is_secret { HIDDEN.into() } else { value };
        self.0.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = Bounded(String::new());
        // It fails where the text is cut, on purpose.
        write!(text, "{value:?}").ok();
        self.note(field, text.0.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let mut text = Bounded(String::new());
        text.write_str(value).ok();
        self.note(field, text.0.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.note(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.note(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.note(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.note(field, value.into());
    }
}

/// A text that takes no more than it may hold.
struct Bounded(String);

impl std::fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let room = VALUE_BYTES_MAX - self.0.len().min(VALUE_BYTES_MAX);
        if text.len() <= room {
            self.0.push_str(text);
            return Ok(());
        }
        self.0.push_str(&text[..text.floor_char_boundary(room)]);
        self.0.push('…');
        Err(std::fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(fields: &[(&str, Value)]) -> Value {
        let fields = fields.iter().cloned();
        let fields = fields.map(|(name, value)| (name.to_owned(), value));
        let text = text_of("ledger", "INFO", "ledger::engine", fields.collect());
        assert!(
            text.len() <= LINE_BYTES_MAX && !text.contains('\n'),
            "{text}"
        );
        serde_json::from_str(&text).expect("JSON")
    }

    #[tokio::test]
    async fn a_line_has_its_ids_in_front_and_those_of_the_request() {
        let mut headers = HeaderMap::new();
        assert!(ids_of(&headers).is_none());
        let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        headers.insert("traceparent", HeaderValue::from_static(traceparent));
        headers.insert("x-request-id", HeaderValue::from_static("r-1"));
        let ids = ids_of(&headers).unwrap();
        let written =
            ids.scope(async { line(&[("message", "a".into()), ("payment_id", "p".into())]) });
        let written = written.await;
        assert_eq!(written["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(written["request_id"], "r-1");
        assert_eq!(written["payment_id"], "p");
        assert_eq!(written["service"], "ledger");
        assert_eq!(written["fields"], json!({"message": "a"}));
        // What is no id is none.
        headers.insert("traceparent", HeaderValue::from_static("00-1"));
        headers.insert("x-request-id", HeaderValue::from_static("a b"));
        let ids = ids_of(&headers).unwrap();
        let written = ids.scope(async { line(&[]) }).await;
        assert!(written["trace_id"].is_null() && written["request_id"].is_null());
    }

    #[test]
    fn a_token_never_comes_out_and_a_line_stays_short() {
        let token = format!("{TOKEN_START}hbGciOiJSUzI1NiIs.{}.c2ln", "a".repeat(200));
        let written = line(&[("message", format!("Bearer {token}, eyJ and {token}").into())]);
        let message = &written["fields"]["message"];
        assert_eq!(*message, "Bearer [hidden], eyJ and [hidden]");
        let mut long = Bounded(String::new());
        long.write_str(&"é".repeat(4_000)).ok();
        assert!(long.0.len() <= VALUE_BYTES_MAX + 3 && long.0.ends_with('…'));
        let much = "a".repeat(LINE_BYTES_MAX);
        let written = line(&[("message", "short".into()), ("error", much.into())]);
        assert_eq!(
            written["fields"],
            json!({"message": "short", "shortened": true})
        );
    }
}
