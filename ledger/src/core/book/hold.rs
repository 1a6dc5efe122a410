//! A hold: money on the debtor's account that can be captured, voided, or ends by time.

use chrono::{DateTime, Utc};
use common::ids::AccountId;
use common::money::Money;

use crate::core::book::usage::PaymentKey;

/// A hold as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Its client and `payment_id`.
    pub key: PaymentKey,
    /// The request that authorised it.
    pub seq: u64,
    /// Where the money is held.
    pub debtor: Party,
    /// Whom a capture pays.
    pub creditor: Party,
    /// What was authorised.
    pub amount: Money,
    /// What was not captured: it is held until the hold ends.
    pub remaining: Money,
    /// The producer's text, for the statements that a capture appears on.
    pub reference: Option<String>,
    /// Where it stands.
    pub status: HoldStatus,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether its end by time was announced.
    pub is_announced: bool,
    /// The last request that changed it.
    pub changed_seq: u64,
}

/// An account that a hold is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Party {
    /// Its id.
    pub account: AccountId,
    /// The request that opened it, which names it in the database.
    pub account_seq: u64,
}

/// Where a hold stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldStatus {
    /// It can be captured.
    Authorised,
    /// It was booked, in part or in full, and nothing is held any more.
    Captured,
    /// It was freed.
    Voided,
    /// It ended by time.
    Expired,
}

impl HoldStatus {
    /// The word in the database and in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Authorised => "authorised",
            Self::Captured => "captured",
            Self::Voided => "voided",
            Self::Expired => "expired",
        }
    }

    /// The status of a word from the database.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [
            Self::Authorised,
            Self::Captured,
            Self::Voided,
            Self::Expired,
        ]
        .into_iter()
        .find(|status| status.as_str() == word)
    }
}

impl Hold {
    /// The hold after a request that leads to this status.
    #[must_use]
    pub fn now(self, status: HoldStatus, seq: u64) -> Self {
        Self {
            status,
            changed_seq: seq,
            ..self
        }
    }
}
