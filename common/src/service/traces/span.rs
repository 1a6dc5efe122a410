//! A span: one that is being taken, or one of the past, made of times that were noted for a whole batch.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt::Display;
use std::sync::OnceLock;

use chrono::{DateTime, Utc};
use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _,
    TraceFlags, TraceId, TraceState, Tracer as _,
};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SdkTracer};

use crate::wire::{self, REQUESTS};

/// Makes spans. Empty in a process that traces nothing.
static TRACER: OnceLock<SdkTracer> = OnceLock::new();

thread_local! {
    /// The id of the span that this thread makes next, where it must be a certain one.
    static GIVEN: Cell<Option<SpanId>> = const { Cell::new(None) };
}

/// Whether anything is traced in this process.
#[must_use]
pub fn is_tracing() -> bool {
    TRACER.get().is_some()
}

/// Makes spans with this from here on; `false` when another one does already.
pub(super) fn trace_with(tracer: SdkTracer) -> bool {
    TRACER.set(tracer).is_ok()
}

/// The attribute that says which request a span is about.
const REQUEST_SEQ: &str = "quittance.request_seq";

/// A span that is being taken; its end is when it is dropped. Nothing while nothing is traced.
#[derive(Debug, Default)]
pub struct Span(Option<Box<Begun>>);

#[derive(Debug)]
struct Begun {
    span: opentelemetry_sdk::trace::Span,
    traceparent: String,
}

impl Span {
    /// Begins a span of the trace that `traceparent` names, or of a new one.
    #[must_use]
    pub fn begin(
        kind: SpanKind,
        name: impl Into<Cow<'static, str>>,
        traceparent: Option<&str>,
    ) -> Self {
        let Some(tracer) = TRACER.get() else {
            return Self::default();
        };
        let builder = SpanBuilder::from_name(name).with_kind(kind);
        let parent = traceparent.and_then(context);
        let span = tracer.build_with_context(builder, &below(parent));
        let context = span.span_context();
        if !context.is_valid() {
            // The service is stopping.
            return Self::default();
        }
        let traceparent = format!(
            "00-{}-{}-{:02x}",
            context.trace_id(),
            context.span_id(),
            context.trace_flags().to_u8()
        );
        Self(Some(Box::new(Begun { span, traceparent })))
    }

    /// Begins the publication of a request about something with this id.
    #[must_use]
    pub fn publish(traceparent: Option<&str>, id: impl Display) -> Self {
        let mut span = Self::begin(SpanKind::Producer, "publish REQUESTS", traceparent);
        if let Some(begun) = &mut span.0 {
            begun.span.set_attributes(messaging(REQUESTS, "send"));
            let id = KeyValue::new("quittance.id", id.to_string());
            begun.span.set_attribute(id);
        }
        span
    }

    /// What the next steps of the trace carry, whether it is recorded or not.
    #[must_use]
    pub fn traceparent(&self) -> Option<&str> {
        self.0.as_ref().map(|begun| &*begun.traceparent)
    }

    /// Adds an attribute. It is bounded, and no secret: never what somebody sent, unless its form was checked.
    pub fn note(&mut self, name: &'static str, value: impl Into<Value>) {
        if let Some(begun) = &mut self.0 {
            begun.span.set_attribute(KeyValue::new(name, value));
        }
    }

    /// It was stored as this message.
    pub fn stored(&mut self, request_seq: u64) {
        self.note(REQUEST_SEQ, number(request_seq));
    }

    /// It went wrong; `why` are words of ours.
    pub fn fail(&mut self, why: &'static str) {
        if let Some(begun) = &mut self.0 {
            begun.span.set_status(Status::error(why));
        }
    }
}

/// A span of a trace that is recorded, under which others stand.
#[derive(Debug, Clone)]
pub struct Parent(SpanContext);

impl Parent {
    /// Of a message with this `traceparent`. `None` where nothing is traced, or this trace is not recorded.
    #[must_use]
    pub fn of(traceparent: &str) -> Option<Self> {
        TRACER.get()?;
        context(traceparent)
            .filter(SpanContext::is_sampled)
            .map(Self)
    }

    /// The ledger's publication of answer `request_seq`. An answer carries the `traceparent` of its request, so that the
    /// ledger's bytes don't depend on traces; the number says which span the publication has (see [`Past::publication`]).
    #[must_use]
    pub fn of_settlement(traceparent: &str, request_seq: u64) -> Option<Self> {
        let Self(request) = Self::of(traceparent)?;
        Some(Self(SpanContext::new(
            request.trace_id(),
            publication(request.trace_id(), request_seq),
            request.trace_flags(),
            true,
            TraceState::default(),
        )))
    }
}

/// A span that is over.
#[derive(Debug)]
pub struct Past {
    /// Its kind.
    pub kind: SpanKind,
    /// Its name, one of a few.
    pub name: &'static str,
    /// When it began.
    pub began: DateTime<Utc>,
    /// When it ended.
    pub ended: DateTime<Utc>,
    /// What it says besides; bounded, and no secret.
    pub attributes: Vec<KeyValue>,
}

impl Past {
    /// Records it under another one, and returns it for those that stand under it.
    pub fn under(self, parent: &Parent) -> Parent {
        self.record(parent, None)
    }

    /// The same for the publication of answer `request_seq`, so that [`Parent::of_settlement`] finds it.
    pub fn publication(self, parent: &Parent, request_seq: u64) -> Parent {
        let id = publication(parent.0.trace_id(), request_seq);
        self.record(parent, Some(id))
    }

    fn record(self, parent: &Parent, id: Option<SpanId>) -> Parent {
        let Some(tracer) = TRACER.get() else {
            return parent.clone();
        };
        let mut builder = SpanBuilder::from_name(self.name).with_kind(self.kind);
        builder.start_time = Some(self.began.into());
        builder.attributes = Some(self.attributes);
        GIVEN.set(id);
        let mut span = tracer.build_with_context(builder, &below(Some(parent.0.clone())));
        GIVEN.set(None);
        span.end_with_timestamp(self.ended.into());
        let context = span.span_context();
        if context.is_valid() {
            Parent(context.clone())
        } else {
            parent.clone()
        }
    }
}

/// What spans about messages say, by OpenTelemetry's conventions.
fn messaging(stream: &'static str, operation: &'static str) -> [KeyValue; 3] {
    [
        KeyValue::new("messaging.system", "nats"),
        KeyValue::new("messaging.destination.name", stream),
        KeyValue::new("messaging.operation.type", operation),
    ]
}

/// The same for a message that went through with others of its batch.
#[must_use]
pub fn messaging_in_batch(
    stream: &'static str,
    operation: &'static str,
    batch_messages: usize,
    request_seq: u64,
) -> Vec<KeyValue> {
    let batch_messages = i64::try_from(batch_messages).unwrap_or(i64::MAX);
    let mut attributes = messaging(stream, operation).to_vec();
    attributes.extend([
        KeyValue::new("messaging.batch.message_count", batch_messages),
        seq(request_seq),
    ]);
    attributes
}

/// Which request a span is about.
#[must_use]
pub fn seq(request_seq: u64) -> KeyValue {
    KeyValue::new(REQUEST_SEQ, number(request_seq))
}

/// A sequence as OpenTelemetry has numbers.
fn number(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

/// Random ids, unless one is given.
#[derive(Debug, Default)]
pub(super) struct GivenIds(RandomIdGenerator);

impl IdGenerator for GivenIds {
    fn new_trace_id(&self) -> TraceId {
        self.0.new_trace_id()
    }

    fn new_span_id(&self) -> SpanId {
        GIVEN.take().unwrap_or_else(|| self.0.new_span_id())
    }
}

fn below(parent: Option<SpanContext>) -> Context {
    let root = Context::new();
    match parent {
        Some(parent) => root.with_remote_span_context(parent),
        None => root,
    }
}

fn context(traceparent: &str) -> Option<SpanContext> {
    if !wire::is_traceparent(traceparent) {
        return None;
    }
    let mut parts = traceparent.split('-').skip(1);
    let trace = TraceId::from_hex(parts.next()?).ok()?;
    let span = SpanId::from_hex(parts.next()?).ok()?;
    let flags = u8::from_str_radix(parts.next()?, 16).ok()?;
    let (flags, state) = (TraceFlags::new(flags), TraceState::default());
    Some(SpanContext::new(trace, span, flags, true, state))
}

/// The span of the publication of an answer: two services, and a ledger that publishes again, find the same.
///
/// The finalizer of splitmix64, which spreads its input over all bits.
fn publication(trace: TraceId, request_seq: u64) -> SpanId {
    let [.., a, b, c, d, e, f, g, h] = trace.to_bytes();
    let low = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    let mut mixed = low ^ request_seq.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    // All zeros is no id.
    SpanId::from_bytes(mixed.max(1).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publication_has_an_id_that_both_sides_find() {
        let trace = TraceId::from_hex("4bf92f3577b34da6a3ce929d0e0e4736").unwrap();
        let ids = [1, 2, 3, u64::MAX].map(|seq| publication(trace, seq));
        for (index, id) in ids.iter().enumerate() {
            assert_ne!(*id, SpanId::INVALID);
            assert!(!ids[..index].contains(id), "{ids:?}");
        }
        // Services of two versions must agree: this never changes.
        assert_eq!(ids[0].to_string(), "bb62777a138d8fba");
    }

    #[test]
    fn a_traceparent_is_read_whole_or_not_at_all() {
        let read = context("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();
        assert_eq!(read.span_id().to_string(), "00f067aa0ba902b7");
        assert!(read.is_sampled() && read.is_remote());
        let quiet = context("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00").unwrap();
        assert!(!quiet.is_sampled());
        assert!(context("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01").is_none());
    }
}
