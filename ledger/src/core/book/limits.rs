//! The limits of an account, and what they count. An account without limits has neither.

use chrono::{Datelike as _, NaiveDate};
use common::kinds::account::Limits;
use common::money::{InvalidAmount, Money};

/// What is set for an account besides its overdraft, and what was counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Controls {
    /// What stays on it.
    pub minimum: Option<Money>,
    /// The most that it may hold.
    pub maximum: Option<Money>,
    /// The most on one day.
    pub day: VelocityMax,
    /// The most in one month.
    pub month: VelocityMax,
    /// What was counted; nothing when nothing is to be counted.
    pub usage: Option<Usage>,
}

/// The most that may leave an account in a while.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VelocityMax {
    /// In all.
    pub amount: Option<Money>,
    /// How many times.
    pub count: Option<u32>,
}

/// What left an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// The day (UTC) that was counted last.
    pub day: NaiveDate,
    /// On that day.
    pub of_day: Spent,
    /// In its month.
    pub of_month: Spent,
}

/// An amount and how many times something left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// In all.
    pub amount: Money,
    /// How many times.
    pub count: u32,
}

impl Controls {
    /// Reads limits; the overdraft is the account's own.
    ///
    /// # Errors
    /// An amount is none of this currency.
    pub fn read(limits: &Limits, zero: Money) -> Result<Self, InvalidAmount> {
        let money = |text: &Option<String>| {
            let read = |text: &String| Money::not_negative(text, zero.currency());
            text.as_ref().map(read).transpose()
        };
        Ok(Self {
            minimum: money(&limits.minimum_balance)?,
            maximum: money(&limits.maximum_balance)?,
            day: VelocityMax {
                amount: money(&limits.day_amount_max)?,
                count: limits.day_count_max,
            },
            month: VelocityMax {
                amount: money(&limits.month_amount_max)?,
                count: limits.month_count_max,
            },
            usage: None,
        })
    }

    /// The limits as they are told, without the overdraft.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let text = |money: Option<Money>| money.map(|money| money.to_string());
        Limits {
            overdraft_limit: None,
            minimum_balance: text(self.minimum),
            maximum_balance: text(self.maximum),
            day_amount_max: text(self.day.amount),
            day_count_max: self.day.count,
            month_amount_max: text(self.month.amount),
            month_count_max: self.month.count,
        }
    }

    /// Whether they limit anything.
    #[must_use]
    pub fn limit_something(&self) -> bool {
        self.minimum.is_some() || self.maximum.is_some() || self.count()
    }

    /// Whether what leaves the account is to be counted.
    #[must_use]
    pub fn count(&self) -> bool {
        [self.day, self.month]
            .iter()
            .any(|max| max.amount.is_some() || max.count.is_some())
    }
}

impl Usage {
    /// Nothing yet.
    #[must_use]
    pub fn nothing(day: NaiveDate, zero: Money) -> Self {
        let spent = Spent {
            amount: zero,
            count: 0,
        };
        Self {
            day,
            of_day: spent,
            of_month: spent,
        }
    }

    /// What counts on this day: a new day or month begins at nothing. A clock that goes back begins nothing.
    #[must_use]
    pub fn on(self, day: NaiveDate) -> Self {
        let nothing = Self::nothing(day, Money::zero(self.of_day.amount.currency()));
        if day <= self.day {
            return self;
        }
        if (day.year(), day.month()) == (self.day.year(), self.day.month()) {
            return Self {
                of_month: self.of_month,
                ..nothing
            };
        }
        nothing
    }

    /// With one more; `None` when a sum has more digits than a decimal holds.
    #[must_use]
    pub fn and(self, amount: Money) -> Option<Self> {
        let add = |spent: Spent| {
            Some(Spent {
                amount: spent.amount.checked_add(amount)?,
                count: spent.count.checked_add(1)?,
            })
        };
        Some(Self {
            of_day: add(self.of_day)?,
            of_month: add(self.of_month)?,
            ..self
        })
    }
}

#[cfg(test)]
mod tests {
    use common::money::Currency;

    use super::*;

    #[test]
    fn a_new_day_and_a_new_month_begin_at_nothing() {
        let euro = Currency::from_code("EUR").expect("a currency");
        let day = |text: &str| text.parse::<NaiveDate>().expect("a day");
        let money = |text: &str| Money::positive(text, euro).expect("an amount");
        let check = |on: &str, of_day: u32, of_month: u32| {
            let first = Usage::nothing(day("2026-11-29"), Money::zero(euro));
            let second = first.and(money("5")).expect("small").on(day("2026-11-30"));
            let usage = second.and(money("7")).expect("small").on(day(on));
            assert_eq!(
                (usage.of_day.count, usage.of_month.count),
                (of_day, of_month),
                "{on}"
            );
        };
        check("2026-11-30", 1, 2);
        check("2026-11-29", 1, 2);
        check("2026-12-01", 0, 0);
        check("2027-11-30", 0, 0);
    }
}
