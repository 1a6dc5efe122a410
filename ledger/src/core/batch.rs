//! A batch from the log, decided: what the engine writes and what a replay compares.
//!
//! Both go through here, so that they can't differ.

use bytes::Bytes;
use common::ids::AccountId;
use common::kinds::{Answer, rules, trust};
use common::message::Stored;
use common::token::CheckedTokens;

use crate::core::book::Book;
use crate::core::book::account::Entry;
use crate::core::book::usage::{PaymentKey, UsedPaymentId};
use crate::core::chain::{Chain, Cursor, Digest, sha256};
use crate::core::change::Change;
use crate::core::decide::{Decision, decide};
use crate::core::rules::NewerRules;
use crate::core::verify::{VerifiedRequest, verify};

/// A request with its answer.
#[derive(Debug, Clone)]
pub struct Decided {
    /// The request.
    pub request: VerifiedRequest,
    /// The answer.
    pub answer: Answer,
    /// What it changes.
    pub changes: Vec<Change>,
    /// The answer's body.
    pub body: Bytes,
    /// Its SHA-256, which the chain and the leaf of its receipt hash.
    pub body_digest: Digest,
    /// The hash chain after it.
    pub chain: Chain,
}

impl Decided {
    /// The payment id that it uses up by itself, and how.
    pub(crate) fn used_payment(&self) -> Option<(&PaymentKey, &UsedPaymentId)> {
        match self.answer {
            Answer::Bulk(_) => None,
            _ => self.used_payments().next(),
        }
    }

    /// The payment ids that it uses up, and how: of a batch, those of its payments.
    pub(crate) fn used_payments(&self) -> impl Iterator<Item = (&PaymentKey, &UsedPaymentId)> {
        self.changes.iter().filter_map(|change| match change {
            Change::PaymentIdUsed(key, used) => Some((key, used)),
            Change::Posted(_)
            | Change::AccountOpened(_)
            | Change::AccountStands(..)
            | Change::HoldStands(_)
            | Change::Reversed(_)
            | Change::KeyNoted(_)
            | Change::Revoked(..)
            | Change::RulesRaised(_) => None,
        })
    }

    /// What it books.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.changes.iter().filter_map(|change| match change {
            Change::Posted(entry) => Some(entry),
            Change::PaymentIdUsed(..)
            | Change::AccountOpened(_)
            | Change::AccountStands(..)
            | Change::HoldStands(_)
            | Change::Reversed(_)
            | Change::KeyNoted(_)
            | Change::Revoked(..)
            | Change::RulesRaised(_) => None,
        })
    }
}

/// How many of these messages make one batch: those in front of the first key or raise of the rules, or that one alone.
///
/// A key is verified by what was decided before it, and what stands behind it is verified with it; what stands behind a
/// raise is verified by the new rules. A raise is a batch by itself also because everything in front of it is decided
/// when this program does not know the rules.
#[must_use]
pub fn length(messages: &[Stored]) -> usize {
    let is_alone = |message: &Stored| [trust::SUBJECT, rules::SUBJECT].contains(&&*message.subject);
    match messages.iter().position(is_alone) {
        Some(index) => index.max(1),
        None => messages.len(),
    }
}

/// Verifies every message of a batch by the keys and rules of the book.
///
/// # Errors
/// When one asks for rules that this program does not know.
pub fn verify_all(
    messages: &[Stored],
    book: &Book,
    checked: &mut CheckedTokens,
) -> Result<Vec<VerifiedRequest>, NewerRules> {
    assert!(
        length(messages) == messages.len(),
        "a batch goes on behind a key or a raise of the rules"
    );
    messages
        .iter()
        .map(|message| verify(message, book, checked))
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
        let Decision { answer, changes } = decide(book, &request);
        let body = Bytes::from(answer.to_json());
        let body_digest = sha256(&body);
        chain = chain.next(
            request.at.seq,
            request.at.published_at,
            &request.digest,
            &body_digest,
        );
        decided.push(Decided {
            request,
            answer,
            changes,
            body,
            body_digest,
            chain,
        });
    }
    decided
}

/// Decided requests that are written in one transaction.
#[derive(Debug)]
pub(crate) struct Batch {
    /// Where the cursor stands before it.
    pub(crate) from: Cursor,
    /// Where it stands after it.
    pub(crate) to: Cursor,
    /// The requests and their answers, in order; at least one.
    pub(crate) decided: Vec<Decided>,
}

impl Batch {
    /// A batch that follows this cursor.
    pub(crate) fn new(from: Cursor, decided: Vec<Decided>) -> Self {
        let last = decided.last().expect("a batch has a message");
        let to = Cursor {
            seq: last.request.at.seq,
            chain: last.chain,
        };
        Self { from, to, decided }
    }

    /// Whether one of the requests was a batch of payments.
    pub(crate) fn has_batches(&self) -> bool {
        let mut answers = self.decided.iter().map(|item| &item.answer);
        answers.any(|answer| matches!(answer, Answer::Bulk(_)))
    }

    /// Everything that it changes, in order.
    pub(crate) fn changes(&self) -> impl Iterator<Item = &Change> {
        self.decided.iter().flat_map(|item| &item.changes)
    }

    /// The accounts that it changes; an account may appear more than once.
    pub(crate) fn changed_accounts(&self) -> impl Iterator<Item = AccountId> {
        self.changes().filter_map(|change| match change {
            Change::Posted(entry) => Some(entry.account),
            Change::AccountOpened(account) => Some(account.id),
            Change::AccountStands(id, _) => Some(*id),
            Change::PaymentIdUsed(..)
            | Change::HoldStands(_)
            | Change::Reversed(_)
            | Change::KeyNoted(_)
            | Change::Revoked(..)
            | Change::RulesRaised(_) => None,
        })
    }
}
