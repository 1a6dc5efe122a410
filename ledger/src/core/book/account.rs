//! An account, its balances, and what a posting does to them.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use common::account_number::AccountNumber;
use common::ids::{AccountId, owner_spelling};
use common::kinds::account::{Category, Limits, Side};
use common::kinds::posting::Direction;
use common::money::Money;
use schemars::JsonSchema;
use serde::Serialize;

use crate::core::book::limits::{Controls, Usage};
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
    /// The opener's notes.
    pub metadata: BTreeMap<String, String>,
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
    /// Its limits besides the overdraft; nothing for nearly all accounts.
    pub controls: Option<Box<Controls>>,
    /// The request that opened it.
    pub opened_seq: u64,
}

/// What of an account changes without a posting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// As in [`Account`].
    pub status: Status,
    /// As in [`Account`].
    pub overdraft_limit: Money,
    /// As in [`Account`].
    pub held: Money,
    /// As in [`Account`].
    pub controls: Option<Box<Controls>>,
}

impl Standing {
    /// All its limits, as they are told.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let limits = self.controls.as_ref().map(|controls| controls.limits());
        let has_overdraft = !self.overdraft_limit.amount().is_zero();
        Limits {
            overdraft_limit: has_overdraft.then(|| self.overdraft_limit.to_string()),
            ..limits.unwrap_or_default()
        }
    }
}

/// Whether an account takes part in payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It does.
    Open,
    /// Not for now.
    Frozen,
    /// Nothing is debited for now.
    DebitFrozen,
    /// Nothing is credited for now.
    CreditFrozen,
    /// Never again.
    Closed,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 5] = [
        Self::Open,
        Self::Frozen,
        Self::DebitFrozen,
        Self::CreditFrozen,
        Self::Closed,
    ];

    /// The word in the database and in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Frozen => "frozen",
            Self::DebitFrozen => "debit_frozen",
            Self::CreditFrozen => "credit_frozen",
            Self::Closed => "closed",
        }
    }

    /// The status of a word from the database.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// With this side blocked; `None` for a closed account.
    #[must_use]
    pub fn frozen(self, side: Side) -> Option<Self> {
        match (self, side) {
            (Self::Closed, _) => None,
            (Self::Frozen, _) | (_, Side::Both) => Some(Self::Frozen),
            (Self::DebitFrozen, Side::Credit) | (Self::CreditFrozen, Side::Debit) => {
                Some(Self::Frozen)
            }
            (Self::Open | Self::DebitFrozen, Side::Debit) => Some(Self::DebitFrozen),
            (Self::Open | Self::CreditFrozen, Side::Credit) => Some(Self::CreditFrozen),
        }
    }

    /// With this side free; `None` for a closed account.
    #[must_use]
    pub fn unfrozen(self, side: Side) -> Option<Self> {
        match (self, side) {
            (Self::Closed, _) => None,
            (Self::Open, _) | (_, Side::Both) => Some(Self::Open),
            (Self::DebitFrozen, Side::Debit) | (Self::CreditFrozen, Side::Credit) => {
                Some(Self::Open)
            }
            (Self::Frozen | Self::DebitFrozen, Side::Credit) => Some(Self::DebitFrozen),
            (Self::Frozen | Self::CreditFrozen, Side::Debit) => Some(Self::CreditFrozen),
        }
    }

    /// Whether postings on this side are blocked for now.
    #[must_use]
    pub fn blocks(self, direction: Direction) -> bool {
        match self {
            Self::Open | Self::Closed => false,
            Self::Frozen => true,
            Self::DebitFrozen => direction == Direction::Debit,
            Self::CreditFrozen => direction == Direction::Credit,
        }
    }
}

/// One debit or credit that a decision books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Which payment of a batch it is booked for, from 0; `None` for everything that came alone.
    pub item: Option<u16>,
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
    /// Less than its minimum balance would stay.
    BelowMinimum(Money),
    /// It would hold more than its maximum balance.
    AboveMaximum(Money),
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
    /// Its number for people.
    #[must_use]
    pub fn number(&self) -> AccountNumber {
        AccountNumber::of(self.opened_seq)
    }

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

    /// What of it changes without a posting.
    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing {
            status: self.status,
            overdraft_limit: self.overdraft_limit,
            held: self.held,
            controls: self.controls.clone(),
        }
    }

    /// Takes over what changed without a posting.
    pub fn stand(&mut self, standing: Standing) {
        let Standing {
            status,
            overdraft_limit,
            held,
            controls,
        } = standing;
        (self.status, self.overdraft_limit) = (status, overdraft_limit);
        (self.held, self.controls) = (held, controls);
    }

    /// What has been counted for its limits on this day; `None` when nothing is to be counted.
    #[must_use]
    pub fn usage(&self, day: NaiveDate) -> Option<Usage> {
        let controls = self.controls.as_ref().filter(|controls| controls.count())?;
        let nothing = Usage::nothing(day, Money::zero(self.posted.currency()));
        Some(controls.usage.unwrap_or(nothing).on(day))
    }

    /// The posted balance after a debit or credit; nothing changes yet.
    ///
    /// # Errors
    /// [`CannotPost`].
    pub fn balance_after(&self, direction: Direction, amount: Money) -> Result<Money, CannotPost> {
        if direction == normal_side(self.category) {
            let balance = self
                .posted
                .checked_add(amount)
                .ok_or(CannotPost::Overflow)?;
            return match self.controls.as_ref().and_then(|controls| controls.maximum) {
                Some(maximum) if is_above(balance, maximum) => {
                    Err(CannotPost::AboveMaximum(maximum))
                }
                Some(_) | None => Ok(balance),
            };
        }
        self.can_spare(amount)?;
        self.posted.checked_sub(amount).ok_or(CannotPost::Overflow)
    }

    /// Whether this much may leave it, or be held on it.
    ///
    /// # Errors
    /// [`CannotPost`].
    pub fn can_spare(&self, amount: Money) -> Result<(), CannotPost> {
        let left = self
            .available()
            .checked_sub(amount)
            .ok_or(CannotPost::Overflow)?;
        if left.is_negative() {
            return Err(CannotPost::Insufficient);
        }
        let Some(minimum) = self.controls.as_ref().and_then(|controls| controls.minimum) else {
            return Ok(());
        };
        let stays = left
            .checked_sub(self.overdraft_limit)
            .ok_or(CannotPost::Overflow)?;
        if is_above(minimum, stays) {
            return Err(CannotPost::BelowMinimum(minimum));
        }
        Ok(())
    }
}

/// Whether one amount is above another of the same currency.
#[must_use]
pub fn is_above(one: Money, other: Money) -> bool {
    one.amount() > other.amount()
}
