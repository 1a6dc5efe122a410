//! A batch from the log, decided: what the engine writes and what a replay compares.
//!
//! Both go through here, so that they can't differ.

use std::str::FromStr as _;

use async_nats::HeaderValue;
use bytes::Bytes;
use common::answer::{Answer, timestamp};
use common::broker::{Outgoing, Stored};
use common::token::Keys;
use common::wire::{self, Kind};

use crate::book::{Book, Entry};
use crate::chain::Chain;
use crate::decide::{Decision, decide};
use crate::verify::{VerifiedRequest, verify};

/// A request with its answer.
#[derive(Debug, Clone)]
pub struct Decided {
    /// The request.
    pub request: VerifiedRequest,
    /// The answer.
    pub answer: Answer,
    /// What it booked.
    pub entries: Vec<Entry>,
    /// The answer's body.
    pub body: Bytes,
    /// The hash chain after it.
    pub chain: Chain,
}

/// How many of these messages make one batch: up to and with the first key announcement.
///
/// What stands behind an announcement is verified with the announced key, so it must wait until that has been decided.
#[must_use]
pub fn length(messages: &[Stored]) -> usize {
    let announcement = messages
        .iter()
        .position(|message| Kind::of_subject(&message.subject) == Kind::Key);
    announcement.map_or(messages.len(), |index| index + 1)
}

/// Verifies every message of a batch.
#[must_use]
pub fn verify_all(messages: &[Stored], keys: &Keys) -> Vec<VerifiedRequest> {
    assert!(
        length(messages) == messages.len(),
        "a batch goes on behind a key announcement"
    );
    messages
        .iter()
        .map(|message| verify(message, keys))
        .collect()
}

/// Decides a batch in sequence order; item 5 sees what item 4 did.
#[must_use]
pub fn decide_all(
    book: &mut Book,
    mut chain: Chain,
    requests: Vec<VerifiedRequest>,
) -> Vec<Decided> {
    let mut decided = Vec::with_capacity(requests.len());
    for request in requests {
        let Decision { answer, entries } = decide(book, &request);
        let body = Bytes::from(answer.to_json());
        chain = chain.next(
            request.at.seq,
            request.at.published_at,
            &request.digest,
            &body,
        );
        decided.push(Decided {
            request,
            answer,
            entries,
            body,
            chain,
        });
    }
    decided
}

/// The settlement event of an answer, from what the database keeps of it.
#[derive(Debug, Clone)]
pub struct Event {
    /// The sequence of the request, and of this event.
    pub request_seq: u64,
    /// The subject of the request.
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
            subject: decided.request.subject.clone(),
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
    pub fn into_message(self) -> Outgoing {
        let mut headers = async_nats::HeaderMap::new();
        headers.insert(wire::CE_SPECVERSION, "1.0");
        headers.insert(wire::CE_ID, self.request_seq.to_string());
        headers.insert(wire::CE_TYPE, self.event_type.as_str());
        headers.insert(wire::CE_SOURCE, "/ledger");
        headers.insert(wire::CE_TIME, self.published_at.as_str());
        headers.insert(wire::CHAIN, self.chain.to_string());
        // A rejected key's name is whatever was sent, which may be no header value.
        if let Some(about) = self
            .about
            .and_then(|about| HeaderValue::from_str(&about).ok())
        {
            headers.insert(wire::CE_SUBJECT, about);
        }
        if let Some(traceparent) = &self.traceparent {
            headers.insert(wire::TRACEPARENT, traceparent.as_str());
        }
        Outgoing {
            subject: wire::answer_subject(&self.subject),
            headers,
            payload: self.body,
        }
    }

    /// Where a published answer differs from this one; `None` when it is the same.
    #[must_use]
    pub fn difference(&self, published: &Stored) -> Option<String> {
        let chain = self.chain.to_string();
        let pairs = [
            (
                "the subject",
                wire::answer_subject(&self.subject),
                published.subject.clone(),
            ),
            (
                "the type",
                self.event_type.clone(),
                published
                    .header(wire::CE_TYPE)
                    .unwrap_or_default()
                    .to_owned(),
            ),
            ("the body", lossy(&self.body), lossy(&published.payload)),
            (
                "the hash chain",
                chain,
                published.header(wire::CHAIN).unwrap_or_default().to_owned(),
            ),
        ];
        pairs.into_iter().find(|(_, ours, theirs)| ours != theirs).map(|(what, ours, theirs)| {
            let seq = self.request_seq;
            format!("{what} of answer {seq} is, as decided now:\n  {ours}\nand as published:\n  {theirs}")
        })
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
