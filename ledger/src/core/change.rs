//! What a decision changes.
//!
//! Everything that follows a decision consumes changes: the book applies them, the store writes them, a replay compares
//! them. A new capability adds a variant, and the compiler names every place that must know it.

use chrono::{DateTime, Utc};
use common::ids::AccountId;
use common::kinds::trust::AnnounceKey;
use common::money::Money;
use common::token::Target;

use crate::core::book::account::{Account, Entry, Standing};
use crate::core::book::hold::Hold;
use crate::core::book::usage::{Original, PaymentKey, UsedPaymentId};
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
    /// An account is blocked, closed or limited, or something is held on it or counted for its limits.
    AccountStands(AccountId, Box<Standing>),
    /// A hold is authorised, captured, voided or ended.
    HoldStands(Box<Hold>),
    /// Some of a payment is reversed, or a transaction.
    Reversed(Box<Reversal>),
    /// A signing key is noted; tokens that it signs are valid in every later request.
    KeyNoted(Box<AnnounceKey>),
    /// Tokens are revoked, by a request of this time: they are refused in every later request.
    Revoked(Box<Target>, DateTime<Utc>),
    /// Every later request is decided by these rules.
    RulesRaised(Rules),
}

/// A reversal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reversal {
    /// The payment or transaction that is reversed.
    pub of: PaymentKey,
    /// How it stands after it.
    pub original: Original,
    /// How much was reversed now; `None` when it is a transaction.
    pub amount: Option<Money>,
}
