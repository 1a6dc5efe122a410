//! What a decision changes.
//!
//! Everything that follows a decision consumes changes: the book applies them, the store writes them, a replay compares
//! them. A new capability adds a variant, and the compiler names every place that must know it.

use chrono::{DateTime, Utc};
use common::kinds::trust::AnnounceKey;
use common::token::Target;

use crate::core::book::account::{Account, Entry};
use crate::core::book::usage::{PaymentKey, UsedPaymentId};
use crate::core::rules::Rules;

/// One thing that a decision changes in the book, and so in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A payment id is used up, whatever became of the payment.
    PaymentIdUsed(PaymentKey, UsedPaymentId),
    /// A debit or credit is booked. The postings of one decision sum to zero.
    Posted(Entry),
    /// An account is opened.
    AccountOpened(Box<Account>),
    /// A signing key is noted; tokens that it signs are valid in every later request.
    KeyNoted(Box<AnnounceKey>),
    /// Tokens are revoked, by a request of this time: they are refused in every later request.
    Revoked(Box<Target>, DateTime<Utc>),
    /// Every later request is decided by these rules.
    RulesRaised(Rules),
}
