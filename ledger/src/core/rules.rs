//! The versions of the ledger's rules: what each changed, one named difference each.
//!
//! A request is decided by the rules that the log raised before it. So what a version decides, and the bytes it answers
//! with, never change; a new decision is a new version, and old logs replay for ever. `ledger/tests/golden/` holds a log
//! for each.
//!
//! | version | what it brought |
//! |---|---|
//! | 1 | as it began |
//! | 2 | answers carry the value date and the metadata, postings keep the value date; balances and what is available are shown to the owner of an account and to the bank only; `ce-id` and body are compared as ids; a key twice in the metadata is FF01; owners are ids in one spelling; no new account in a withdrawn currency |
//! | 3 | a token is valid neither long before nor long after it was issued: `exp - nbf` is bounded as `exp - iat` is, and `iat` is not in the future |
//! | 4 | a token in the log is one for the log (`aud` is `quittance-log`), which passes nowhere else; revocations are taken in, and a revoked token is refused; a token's own limits hold: the most per payment, the accounts that may be debited |
//! | 5 | accounts are frozen, unfrozen, closed and limited; money is held, captured, voided, and freed by time; payments are reversed; transactions have several postings; batches have many payments in one request; accounts carry metadata; the ledger opens the bank's own accounts |
//! | 6 | the bank reverses a transaction of several postings, whole; only the bank reverses what was paid to an account that is not a liability |

use common::token::{Audience, Policy, Times};

/// A version of the rules.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rules {
    /// Of every log, before it raises others.
    #[default]
    One,
    /// Value dates, metadata and privacy.
    Two,
    /// Bounded token times.
    Three,
    /// Tokens for the log alone, which can be revoked and limited.
    Four,
    /// Controls on accounts, holds, reversals, transactions of several postings.
    Five,
    /// Reversals of transactions.
    Six,
}

impl Rules {
    /// All, in order.
    pub const ALL: [Self; 6] = [
        Self::One,
        Self::Two,
        Self::Three,
        Self::Four,
        Self::Five,
        Self::Six,
    ];
    /// The newest that this program knows.
    pub const NEWEST: Self = Self::Six;

    /// The number in the log.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Three => 3,
            Self::Four => 4,
            Self::Five => 5,
            Self::Six => 6,
        }
    }

    /// The version of a number; `None` when this program does not know it.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|rules| rules.number() == number)
    }

    /// Answers carry `effective_date` and `metadata`, and postings keep a value date that is not the day of the request.
    #[must_use]
    pub fn carry_value_date_and_metadata(self) -> bool {
        self >= Self::Two
    }

    /// `ce-id` may spell an id otherwise than the body: they are compared as ids, not as texts.
    #[must_use]
    pub fn compare_ids_as_ids(self) -> bool {
        self >= Self::Two
    }

    /// A key that appears twice in the metadata is refused, as one at the top level is.
    #[must_use]
    pub fn refuse_repeated_keys(self) -> bool {
        self >= Self::Two
    }

    /// Owners are ids: a UUID in whatever spelling is kept in the usual one, and nothing with a space in it is an id.
    #[must_use]
    pub fn spell_owners_alike(self) -> bool {
        self >= Self::Two
    }

    /// A currency that was withdrawn serves its old accounts and gets no new ones.
    #[must_use]
    pub fn refuse_withdrawn_currencies(self) -> bool {
        self >= Self::Two
    }

    /// A limit below zero hears that it is one, not that an amount must be above zero.
    #[must_use]
    pub fn word_limits_as_limits(self) -> bool {
        self >= Self::Two
    }

    /// What tokens are judged by.
    #[must_use]
    pub fn token_policy(self) -> Policy {
        Policy {
            audience: if self >= Self::Four {
                Audience::Log
            } else {
                Audience::Http
            },
            times: if self >= Self::Three {
                Times::Bounded
            } else {
                Times::AsWritten
            },
        }
    }

    /// Revocations are requests that the ledger knows.
    #[must_use]
    pub fn take_revocations(self) -> bool {
        self >= Self::Four
    }

    /// Accounts can be frozen, unfrozen, closed and limited, and opened with metadata.
    #[must_use]
    pub fn control_accounts(self) -> bool {
        self >= Self::Five
    }

    /// Openings of the bank's own accounts are requests that the ledger knows.
    #[must_use]
    pub fn open_bank_accounts(self) -> bool {
        self >= Self::Five
    }

    /// Holds and what becomes of them are requests that the ledger knows.
    #[must_use]
    pub fn take_holds(self) -> bool {
        self >= Self::Five
    }

    /// Reversals are requests that the ledger knows.
    #[must_use]
    pub fn take_reversals(self) -> bool {
        self >= Self::Five
    }

    /// The bank can reverse a transaction of several postings, whole.
    #[must_use]
    pub fn reverse_transactions(self) -> bool {
        self >= Self::Six
    }

    /// Only the bank reverses a payment to an account on which a credit is no gain: on an asset of theirs, its owners would owe
    /// it again.
    #[must_use]
    pub fn owners_reverse_on_liabilities_only(self) -> bool {
        self >= Self::Six
    }

    /// Transactions of several postings are requests that the ledger knows.
    #[must_use]
    pub fn take_transactions(self) -> bool {
        self >= Self::Five
    }

    /// Batches of payments are requests that the ledger knows.
    #[must_use]
    pub fn take_batches(self) -> bool {
        self >= Self::Five
    }

    /// What a token limits itself to is enforced.
    #[must_use]
    pub fn enforce_limits_of_tokens(self) -> bool {
        self >= Self::Four
    }

    /// What an account holds is shown to its owner and to the bank only.
    #[must_use]
    pub fn hide_balances_of_others(self) -> bool {
        self >= Self::Two
    }
}

/// Who reads answers must know the rules that they were decided by.
const _: () = assert!(Rules::NEWEST.number() == common::kinds::rules::NEWEST);
const _: () = assert!(Rules::Four.number() == common::kinds::rules::LOG_TOKENS);

/// The log asks for rules that this program does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "request {seq} raises the rules to version {rules}, and this program knows none after {}: \
     start the version of quittance that wrote it, or a newer one",
    Rules::NEWEST.number()
)]
pub struct NewerRules {
    /// The request that asks.
    pub seq: u64,
    /// The version it asks for.
    pub rules: u32,
}
