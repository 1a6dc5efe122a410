//! An account, its balances, and what a posting does to them.

use chrono::NaiveDate;
use common::ids::{AccountId, owner_spelling};
use common::kinds::account::Category;
use common::kinds::posting::Direction;
use common::money::Money;
use schemars::JsonSchema;
use serde::Serialize;

use crate::core::rules::Rules;

/// An account and its balances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// The `sub` of the tokens that may pay from it.
    pub owner: String,
    /// For people.
    pub name: Option<String>,
    /// Its place in the bank's books.
    pub category: Category,
    /// Whether it takes part in payments.
    pub status: Status,
    /// How far below zero `available` may not go: it already counts this in. Not negative.
    pub overdraft_limit: Money,
    /// Sum of all postings, on the normal side.
    pub posted: Money,
    /// How many those are.
    pub postings: u64,
    /// Reserved by authorised holds. Not negative.
    pub held: Money,
    /// The request that opened it.
    pub opened_seq: u64,
}

/// Whether an account takes part in payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It does.
    Open,
    /// Not for now.
    Frozen,
    /// Never again.
    Closed,
}

impl Status {
    /// The word in the database and in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Frozen => "frozen",
            Self::Closed => "closed",
        }
    }

    /// The status of a word from the database.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Open, Self::Frozen, Self::Closed]
            .into_iter()
            .find(|status| status.as_str() == word)
    }
}

/// One debit or credit that a decision books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// On which account.
    pub account: AccountId,
    /// The request that opened that account, which names it in the database.
    pub account_seq: u64,
    /// On which side.
    pub direction: Direction,
    /// How much; above zero.
    pub amount: Money,
    /// The account's posted balance after it.
    pub balance: Money,
    /// Which posting of the account it is, from 1 without a gap.
    pub number: u64,
    /// The value date, if it is not the day of the request. By rules 1 it is not kept.
    pub effective_date: Option<NaiveDate>,
}

impl Entry {
    /// The amount on the debit side: below zero for a credit. The entries of one decision sum to zero there.
    #[must_use]
    pub fn debit_side(&self) -> Money {
        on_debit_side(self.direction, self.amount)
    }
}

/// Why an account can't take a posting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CannotPost {
    /// Less is available than would go.
    Insufficient,
    /// The balance would have more digits than a decimal holds.
    Overflow,
}

/// The side on which accounts of this category grow.
#[must_use]
pub fn normal_side(category: Category) -> Direction {
    match category {
        Category::Asset | Category::Expense => Direction::Debit,
        Category::Liability | Category::Equity | Category::Income => Direction::Credit,
    }
}

/// An amount on this side, seen from the debit side.
#[must_use]
pub fn on_debit_side(direction: Direction, amount: Money) -> Money {
    match direction {
        Direction::Debit => amount,
        Direction::Credit => amount.negated(),
    }
}

impl Account {
    /// Whether tokens with this `sub` may pay from it.
    #[must_use]
    pub fn is_owned_by(&self, sub: &str, rules: Rules) -> bool {
        self.owner == sub || rules.spell_owners_alike() && self.owner == owner_spelling(sub)
    }

    /// What may still go: posted − held + overdraft limit.
    ///
    /// # Panics
    /// Never: each part has at most 15 digits more than the sum of [`common::money::AMOUNT_DIGITS_MAX`] allows.
    #[must_use]
    pub fn available(&self) -> Money {
        self.posted
            .checked_sub(self.held)
            .and_then(|free| free.checked_add(self.overdraft_limit))
            .expect("three sums in the account's own currency, bounded by its limits")
    }

    /// The posted balance after a debit or credit; nothing changes yet.
    ///
    /// # Errors
    /// [`CannotPost`].
    pub fn balance_after(&self, direction: Direction, amount: Money) -> Result<Money, CannotPost> {
        if direction == normal_side(self.category) {
            return self.posted.checked_add(amount).ok_or(CannotPost::Overflow);
        }
        let left = self
            .available()
            .checked_sub(amount)
            .ok_or(CannotPost::Overflow)?;
        if left.is_negative() {
            return Err(CannotPost::Insufficient);
        }
        self.posted.checked_sub(amount).ok_or(CannotPost::Overflow)
    }
}
