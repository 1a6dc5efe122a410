//! The settlement event: what is published of an answer.

use bytes::Bytes;
use common::headers::HeaderLines;
use common::message::{Outgoing, Stored};
use common::timestamp;
use common::wire;

use crate::core::batch::Decided;
use crate::core::chain::Chain;

/// The settlement event of an answer, from what the database keeps of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The sequence of the request, and of this event.
    pub request_seq: u64,
    /// Where it is published.
    pub subject: String,
    /// The answer's `ce-type`.
    pub event_type: String,
    /// What it is about.
    pub about: Option<String>,
    /// P, as it stands in `ce-time`.
    pub published_at: String,
    /// The request's trace context.
    pub traceparent: Option<String>,
    /// The chain after this answer.
    pub chain: Chain,
    /// The body.
    pub body: Bytes,
}

impl From<&Decided> for Event {
    fn from(decided: &Decided) -> Self {
        Self {
            request_seq: decided.request.at.seq,
            subject: decided.request.answer_subject.clone(),
            event_type: decided.answer.ce_type().to_owned(),
            about: decided.answer.about(),
            published_at: timestamp::text(&decided.request.at.published_at),
            traceparent: decided.request.traceparent.clone(),
            chain: decided.chain,
            body: decided.body.clone(),
        }
    }
}

impl Event {
    /// The message that is published for it. The request's token is not in it.
    #[must_use]
    pub fn to_message(&self) -> Outgoing {
        let mut headers = HeaderLines::with_capacity(400);
        headers.add(wire::CE_SPECVERSION, "1.0");
        headers.add(wire::CE_ID, self.request_seq);
        headers.add(wire::CE_TYPE, &self.event_type);
        headers.add(wire::CE_SOURCE, "/ledger");
        headers.add(wire::CE_TIME, &self.published_at);
        headers.add(wire::CHAIN, self.chain);
        if let Some(about) = &self.about {
            headers.add(wire::CE_SUBJECT, about);
        }
        if let Some(traceparent) = &self.traceparent {
            headers.add(wire::TRACEPARENT, traceparent);
        }
        Outgoing {
            subject: self.subject.clone(),
            headers,
            payload: self.body.clone(),
        }
    }

    /// The event of a message in SETTLEMENTS; what it lacks is empty, and nothing is empty in an event of ours.
    #[must_use]
    pub fn of_message(message: &Stored) -> Self {
        let header = |name| message.header(name).map(str::to_owned);
        Self {
            request_seq: message.sequence,
            subject: message.subject.clone(),
            event_type: header(wire::CE_TYPE).unwrap_or_default(),
            about: header(wire::CE_SUBJECT),
            published_at: header(wire::CE_TIME).unwrap_or_default(),
            traceparent: header(wire::TRACEPARENT),
            chain: message
                .header(wire::CHAIN)
                .and_then(Chain::from_hex)
                .unwrap_or(Chain::START),
            body: message.payload.clone(),
        }
    }

    /// Where `theirs` differs from this answer, as a sentence that names both; `None` when it is the same.
    #[must_use]
    pub fn difference(&self, theirs: &Self, their_place: &str) -> Option<String> {
        let texts = |event: &Self| {
            [
                ("the sequence", event.request_seq.to_string()),
                ("the subject", event.subject.clone()),
                ("the type", event.event_type.clone()),
                ("the time", event.published_at.clone()),
                ("the trace", event.traceparent.clone().unwrap_or_default()),
                (
                    "the body",
                    String::from_utf8_lossy(&event.body).into_owned(),
                ),
                ("the hash chain", event.chain.to_string()),
                ("what it is about", event.about.clone().unwrap_or_default()),
            ]
        };
        if self == theirs {
            return None;
        }
        let mut pairs = texts(self).into_iter().zip(texts(theirs));
        let ((what, ours), (_, theirs)) = pairs.find(|(ours, theirs)| ours != theirs)?;
        let seq = self.request_seq;
        Some(format!(
            "{what} of answer {seq} is {ours} by the log, but {theirs} in {their_place}"
        ))
    }
}
