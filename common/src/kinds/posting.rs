//! One side of what a transaction books.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::AccountId;

/// One debit or credit on one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Posting {
    /// The account.
    pub account: AccountId,
    /// The side.
    pub direction: Direction,
    /// Above zero, with all decimals of the currency.
    pub amount: String,
    /// Of a transaction, which may have several; absent where the payment's own currency says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// The account's posted balance after it, on the account's normal side.
    ///
    /// From rules 2 on only on the caller's own accounts, or with `bank:operate`; `null` otherwise.
    pub balance: Option<String>,
}

/// The side of a posting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Left: assets and expenses grow.
    Debit,
    /// Right: liabilities, equity and income grow.
    Credit,
}

impl Direction {
    /// The other side.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::Debit => Self::Credit,
            Self::Credit => Self::Debit,
        }
    }
}
