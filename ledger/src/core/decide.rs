//! Step 3: the one place where the books change. A book and a request in, an answer and its changes out.
//!
//! No I/O, no clock, no randomness, no `async`: the same requests in the same order give the same answers, years later.
//! Each kind has a file. The checks in it run in the order in which their reason codes take precedence.

#![deny(clippy::wildcard_enum_match_arm)]

mod refusal;

mod moving;
mod repeated;

mod asked;

mod account;
mod bulk;
mod controls;
mod hold;
mod legs;
mod payment;
mod reversal;
mod revocation;
mod rules;
mod transaction;
mod trust;

use common::ids::AccountId;
use common::kinds::Answer;
use common::kinds::account::AccountRequest;

use crate::core::at::At;
use crate::core::book::Book;
use crate::core::change::Change;
use crate::core::verify::{Content, VerifiedRequest};

pub(crate) use hold::void_key;
pub(crate) use reversal::original_key;

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
    let ended = end_due_holds(book, at, &request.content);
    let mut decision = if let Content::Bulk(accepted) = &request.content {
        bulk::decide(book, at, &accepted.token.claims, &accepted.request)
    } else {
        let decision = decide_one(book, at, &request.content);
        for change in &decision.changes {
            book.apply(change);
        }
        decision
    };
    if !ended.is_empty() {
        decision.changes.splice(0..0, ended);
    }
    decision
}

/// Decides anything but a batch of payments; nothing changes yet.
fn decide_one(book: &Book, at: At, content: &Content) -> Decision {
    match content {
        Content::Bulk(_) => unreachable!("a batch changes the book while it is decided"),
        Content::Payment(accepted) => {
            payment::decide(book, at, &accepted.token.claims, &accepted.request)
        }
        Content::Hold(accepted) => {
            hold::authorise(book, at, &accepted.token.claims, &accepted.request)
        }
        Content::Capture(accepted) => {
            hold::capture(book, at, &accepted.token.claims, &accepted.request)
        }
        Content::Void(accepted) => hold::void(book, at, &accepted.token.claims, &accepted.request),
        Content::Reversal(accepted) => {
            reversal::decide(book, at, &accepted.token.claims, &accepted.request)
        }
        Content::Transaction(accepted) => {
            transaction::decide(book, at, &accepted.token.claims, &accepted.request)
        }
        Content::Expiry(asked) => hold::announce_expiry(book, at, asked),
        Content::Account(accepted) => {
            account::decide(book, at, &accepted.token.claims, &accepted.request)
        }
        Content::Chart(asked) => account::open_for_bank(book, at, *asked),
        Content::Key(accepted) => trust::decide(book, at, &accepted.request),
        Content::Revocation(accepted) => revocation::decide(book, at, &accepted.request),
        Content::Rules(asked) => rules::decide(book, at, *asked),
        Content::Rejected(answer) => Decision::without_change((**answer).clone()),
    }
}

/// A hold that is due counts as ended from then on: before anything leaves its account, it ends.
fn end_due_holds(book: &mut Book, at: At, content: &Content) -> Vec<Change> {
    let mut ended = Vec::new();
    if let Content::Transaction(accepted) = content {
        for posting in &accepted.request.request.postings {
            end_due_holds_of(book, at, posting.account, &mut ended);
        }
    } else if let Content::Bulk(accepted) = content {
        for payment in accepted.request.readable() {
            end_due_holds_of(book, at, payment.request.debtor_account, &mut ended);
        }
    } else if let Content::Reversal(accepted) = content {
        let request = &accepted.request.request;
        for id in reversal::payers(book, at, &accepted.token.claims, request) {
            end_due_holds_of(book, at, id, &mut ended);
        }
    } else if let Some(id) = holding_account(book, content) {
        end_due_holds_of(book, at, id, &mut ended);
    }
    ended
}

fn end_due_holds_of(book: &mut Book, at: At, id: AccountId, ended: &mut Vec<Change>) {
    while let Some(account) = book.accounts.get(&id)
        && !account.held.amount().is_zero()
        && let Some(changes) = hold::end_one_due(book, at, account)
    {
        for change in &changes {
            book.apply(change);
        }
        ended.extend(changes);
    }
}

/// The account whose holds matter for a request about one.
fn holding_account(book: &Book, content: &Content) -> Option<AccountId> {
    let of_hold = |key| book.holds.get(key).map(|hold| hold.debtor.account);
    match content {
        Content::Payment(accepted) => Some(accepted.request.request.debtor_account),
        Content::Hold(accepted) => Some(accepted.request.request.debtor_account),
        Content::Capture(accepted) => {
            let client = accepted.token.claims.client_id.clone();
            of_hold(&(client, accepted.request.request.hold_id))
        }
        Content::Void(accepted) => {
            of_hold(&void_key(&accepted.token.claims, &accepted.request.request))
        }
        Content::Expiry(expiry) => of_hold(&(expiry.client_id.clone(), expiry.hold_id)),
        Content::Account(accepted) => match &accepted.request {
            AccountRequest::Close(close) => Some(close.account_id),
            AccountRequest::Limit(limit) => Some(limit.account_id),
            AccountRequest::Open(_) | AccountRequest::Freeze(_) | AccountRequest::Unfreeze(_) => {
                None
            }
        },
        Content::Transaction(_)
        | Content::Bulk(_)
        | Content::Reversal(_)
        | Content::Chart(_)
        | Content::Key(_)
        | Content::Revocation(_)
        | Content::Rules(_)
        | Content::Rejected(_) => None,
    }
}
