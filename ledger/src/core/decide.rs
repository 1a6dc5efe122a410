//! Step 3: the one place where the books change. A book and a request in, an answer and its changes out.
//!
//! No I/O, no clock, no randomness, no `async`: the same requests in the same order give the same answers, years later.
//! Each kind has a file. The checks in it run in the order in which their reason codes take precedence.

#![deny(clippy::wildcard_enum_match_arm)]

mod account;
mod payment;
mod revocation;
mod rules;
mod trust;

use common::kinds::Answer;

use crate::core::book::Book;
use crate::core::change::Change;
use crate::core::verify::{Content, VerifiedRequest};

/// An answer and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The answer.
    pub answer: Answer,
    /// What it changes, in order; postings among them sum to zero.
    pub changes: Vec<Change>,
}

impl Decision {
    /// An answer from which nothing follows.
    fn without_change(answer: Answer) -> Self {
        Self {
            answer,
            changes: Vec::new(),
        }
    }
}

/// Decides one request and changes the book accordingly.
///
/// The book must hold what the request touches ([`crate::core::touches`]), as far as it exists.
#[must_use]
pub fn decide(book: &mut Book, request: &VerifiedRequest) -> Decision {
    let at = request.at;
    assert_eq!(
        at.rules, book.rules,
        "request {} was verified by other rules than it is decided by",
        at.seq
    );
    if let Some(refused) = revocation::refused(book, request) {
        return Decision::without_change(refused);
    }
    let decision = match &request.content {
        Content::Payment(accepted) => {
            payment::decide(book, at, &accepted.token.claims, &accepted.request)
        }
        Content::Account(accepted) => {
            account::decide(book, at, &accepted.token.claims, &accepted.request)
        }
        Content::Key(accepted) => trust::decide(book, at, &accepted.request),
        Content::Revocation(accepted) => revocation::decide(book, at, &accepted.request),
        Content::Rules(asked) => rules::decide(book, at, *asked),
        Content::Rejected(answer) => Decision::without_change((**answer).clone()),
    };
    for change in &decision.changes {
        book.apply(change);
    }
    decision
}
