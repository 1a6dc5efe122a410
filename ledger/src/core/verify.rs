//! Step 1: a stored message in, what it asks for out. Pure: bytes, published time, keys and rules are all it looks at.
//!
//! A message that breaks a rule here becomes a rejected answer, never a redelivery. In order: the body must be readable,
//! no header twice, CloudEvents headers must agree with the body (FF01); then the token and whose it is (AG01). Once the
//! body is readable the answer names what it is about, whatever else is wrong.

mod accepted;
mod envelope;

mod account;
mod asked;
mod bulk;
mod chart;
mod expiry;
mod payment;
mod revocation;
mod rules;
mod trust;

pub use accepted::Accepted;
pub use asked::Asked;
pub use bulk::Bulk;
pub use chart::BankAccount;
pub use payment::Payment;

use common::kinds::account::AccountRequest;
use common::kinds::expiry::AnnounceExpiry;
use common::kinds::hold::{CaptureRequest, HoldRequest, VoidRequest};
use common::kinds::reversal::ReversalRequest;
use common::kinds::revocation::Revoke;
use common::kinds::transaction::TransactionRequest;
use common::kinds::trust::AnnounceKey;
use common::kinds::{self, Answer, Kind, answer_subject};
use common::message::Stored;
use common::token::{CheckedTokens, Verified};
use common::wire;

use crate::core::at::At;
use crate::core::book::Book;
use crate::core::chain::{Digest, request_digest};
use crate::core::rejection;
use crate::core::rules::{NewerRules, Rules};
use envelope::Known;

/// A request that has passed, or its rejection.
#[derive(Debug, Clone)]
pub struct VerifiedRequest {
    /// Its place and time.
    pub at: At,
    /// Where its answer is published.
    pub answer_subject: String,
    /// Its W3C trace context, if it has a valid one.
    pub traceparent: Option<String>,
    /// SHA-256 of it as stored.
    pub digest: Digest,
    /// What it asks for.
    pub content: Content,
}

/// What a request asks for.
#[derive(Debug, Clone)]
pub enum Content {
    /// Move money.
    Payment(Accepted<Payment>),
    /// Hold money.
    Hold(Accepted<Asked<HoldRequest>>),
    /// Book what is held.
    Capture(Accepted<Asked<CaptureRequest>>),
    /// Free what is held.
    Void(Accepted<Asked<VoidRequest>>),
    /// Book a payment back.
    Reversal(Accepted<Asked<ReversalRequest>>),
    /// Book several postings.
    Transaction(Accepted<Asked<TransactionRequest>>),
    /// Move money several times.
    Bulk(Accepted<Bulk>),
    /// Say that a hold has ended.
    Expiry(AnnounceExpiry),
    /// Change an account.
    Account(Accepted<AccountRequest>),
    /// Open an account of the bank's own.
    Chart(BankAccount),
    /// Take a key in.
    Key(Accepted<AnnounceKey>),
    /// Revoke tokens.
    Revocation(Accepted<Revoke>),
    /// Decide by these rules from here on.
    Rules(Rules),
    /// Nothing more: it has been rejected already.
    Rejected(Box<Answer>),
}

impl VerifiedRequest {
    /// The token it came under; `None` when none was accepted.
    #[must_use]
    pub fn token(&self) -> Option<&Verified> {
        match &self.content {
            Content::Payment(accepted) => Some(&accepted.token),
            Content::Hold(accepted) => Some(&accepted.token),
            Content::Capture(accepted) => Some(&accepted.token),
            Content::Void(accepted) => Some(&accepted.token),
            Content::Reversal(accepted) => Some(&accepted.token),
            Content::Transaction(accepted) => Some(&accepted.token),
            Content::Bulk(accepted) => Some(&accepted.token),
            Content::Account(accepted) => Some(&accepted.token),
            Content::Key(accepted) => Some(&accepted.token),
            Content::Revocation(accepted) => Some(&accepted.token),
            Content::Expiry(_) | Content::Chart(_) | Content::Rules(_) | Content::Rejected(_) => {
                None
            }
        }
    }
}

/// Judges one stored request by the keys and rules of the book, which are those before it.
///
/// `checked` remembers tokens between calls and changes nothing but the time it takes.
///
/// # Errors
/// When it asks for rules that this program does not know.
pub fn verify(
    message: &Stored,
    book: &Book,
    checked: &mut CheckedTokens,
) -> Result<VerifiedRequest, NewerRules> {
    let at = At {
        seq: message.sequence,
        published_at: message.published_at,
        rules: book.rules,
    };
    let keys = &book.keys;
    let mut known = Known { keys, checked };
    let verdict = match Kind::of_subject(&message.subject) {
        Kind::Payment(client) => {
            payment::verify(message, at, client, &mut known).map(Content::Payment)
        }
        Kind::Account(client) => {
            account::verify(message, at, client, &mut known).map(Content::Account)
        }
        Kind::Hold(client) if at.rules.take_holds() => {
            asked::verify(message, at, client, &mut known).map(Content::Hold)
        }
        Kind::Capture(client) if at.rules.take_holds() => {
            asked::verify(message, at, client, &mut known).map(Content::Capture)
        }
        Kind::Void(client) if at.rules.take_holds() => {
            asked::verify(message, at, client, &mut known).map(Content::Void)
        }
        Kind::Reversal(client) if at.rules.take_reversals() => {
            asked::verify(message, at, client, &mut known).map(Content::Reversal)
        }
        Kind::Transaction(client) if at.rules.take_transactions() => {
            asked::verify(message, at, client, &mut known).map(Content::Transaction)
        }
        Kind::Bulk(client) if at.rules.take_batches() => {
            bulk::verify(message, at, client, &mut known).map(Content::Bulk)
        }
        Kind::Expiry if at.rules.take_holds() => expiry::verify(message, at).map(Content::Expiry),
        Kind::Chart if at.rules.open_bank_accounts() => {
            chart::verify(message, at).map(Content::Chart)
        }
        Kind::Key => trust::verify(message, at, book).map(Content::Key),
        Kind::Revocation if at.rules.take_revocations() => {
            revocation::verify(message, at, &mut known).map(Content::Revocation)
        }
        Kind::Rules => rules::verify(message, at)?.map(Content::Rules),
        Kind::Hold(_)
        | Kind::Capture(_)
        | Kind::Void(_)
        | Kind::Reversal(_)
        | Kind::Transaction(_)
        | Kind::Bulk(_)
        | Kind::Expiry
        | Kind::Chart
        | Kind::Revocation
        | Kind::Unknown => Err(Box::new(rejection::unknown(at))),
    };
    let answer_subject = match &verdict {
        // Whoever hears of a client's holds hears of their end too.
        Ok(Content::Expiry(expiry)) => kinds::expiry::answer_subject(&expiry.client_id),
        Ok(_) | Err(_) => answer_subject(&message.subject),
    };
    Ok(VerifiedRequest {
        at,
        answer_subject,
        traceparent: message
            .header(wire::TRACEPARENT)
            .filter(|text| wire::is_traceparent(text))
            .map(str::to_owned),
        digest: request_digest(message),
        content: verdict.unwrap_or_else(Content::Rejected),
    })
}
