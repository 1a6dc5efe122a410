//! A batch from the log, decided: what the engine writes and what a replay compares.
//!
//! Both go through here, so that they can't differ.

use bytes::Bytes;
use common::headers::HeaderLines;
use common::ids::AccountId;
use common::kinds::Answer;
use common::kinds::account::AccountStatus;
use common::kinds::trust;
use common::message::{Outgoing, Stored};
use common::timestamp;
use common::token::{CheckedTokens, Keys};
use common::wire;

use crate::book::{Account, Book, Entry};
use crate::chain::Chain;
use crate::decide::{Decision, decide};
use crate::store::Cursor;
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
        .position(|message| message.subject == trust::SUBJECT);
    announcement.map_or(messages.len(), |index| index + 1)
}

/// Verifies every message of a batch.
#[must_use]
pub fn verify_all(
    messages: &[Stored],
    keys: &Keys,
    checked: &mut CheckedTokens,
) -> Vec<VerifiedRequest> {
    assert!(
        length(messages) == messages.len(),
        "a batch goes on behind a key announcement"
    );
    messages
        .iter()
        .map(|message| verify(message, keys, checked))
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

/// Decided requests that are written in one transaction, with all that changes.
#[derive(Debug)]
pub(crate) struct Batch {
    /// Where the cursor stands before it.
    pub(crate) from: Cursor,
    /// Where it stands after it.
    pub(crate) to: Cursor,
    /// The requests and their answers, in order; at least one.
    pub(crate) decided: Vec<Decided>,
    /// The accounts that were opened, as they were then or later in the batch.
    pub(crate) opened: Vec<Account>,
}

impl Batch {
    /// What these have changed in the book in which they were just decided.
    pub(crate) fn new(from: Cursor, decided: Vec<Decided>, book: &Book) -> Self {
        let last = decided.last().expect("a batch has a message");
        let to = Cursor {
            seq: last.request.at.seq,
            chain: last.chain,
        };
        let opened = decided.iter().filter_map(|item| match &item.answer {
            Answer::Account(answer) if answer.status == AccountStatus::Opened => {
                let id = answer.account_id.expect("an opened account has an id");
                let account = book.accounts.get(&id);
                Some(account.expect("it was just opened").clone())
            }
            _ => None,
        });
        let opened = opened.collect();
        Self {
            from,
            to,
            decided,
            opened,
        }
    }

    /// The accounts that stand otherwise after it.
    pub(crate) fn changed_accounts(&self) -> impl Iterator<Item = AccountId> {
        let opened = self.opened.iter().map(|account| account.id);
        let entries = self.decided.iter().flat_map(|item| &item.entries);
        opened.chain(entries.map(|entry| entry.account))
    }
}

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

    /// The event of a message in SETTLEMENTS; what it lacks is empty, which no event of ours is.
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
