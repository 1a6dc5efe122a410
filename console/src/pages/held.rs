//! What is held on an account, and how far it may go, as its page shows it.

use client::AccountHold;
use common::kinds::account::Limits;

use crate::prefix::Prefix;
use crate::show::{Id, Time};

/// One line of what is held.
pub(super) struct Held {
    pub(super) hold: Id,
    pub(super) creditor: Id,
    pub(super) remaining: String,
    pub(super) amount: String,
    pub(super) until: Time,
    pub(super) reference: String,
}

impl Held {
    pub(super) fn of(hold: AccountHold, prefix: &Prefix) -> Self {
        Self {
            hold: Id::payment(hold.hold_id, Some(&hold.client_id), prefix),
            creditor: Id::account(hold.creditor_account, prefix),
            remaining: hold.remaining,
            amount: hold.amount,
            until: Time::maybe(hold.expires_at),
            reference: hold.reference.unwrap_or_default(),
        }
    }
}

/// A limit as the form shows it.
pub(super) struct LimitField {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    /// Empty where there is none.
    pub(super) value: String,
    pub(super) is_count: bool,
}

/// All limits, those that are set and those that are not.
pub(super) fn limit_fields(limits: &Limits) -> Vec<LimitField> {
    let amount = |name, label, value: &Option<String>| LimitField {
        name,
        label,
        value: value.clone().unwrap_or_default(),
        is_count: false,
    };
    let count = |name, label, value: Option<u32>| LimitField {
        name,
        label,
        value: value.map(|value| value.to_string()).unwrap_or_default(),
        is_count: true,
    };
    vec![
        amount(
            "overdraft_limit",
            "Overdraft limit",
            &limits.overdraft_limit,
        ),
        amount(
            "minimum_balance",
            "Must stay on it",
            &limits.minimum_balance,
        ),
        amount(
            "maximum_balance",
            "May hold at most",
            &limits.maximum_balance,
        ),
        amount(
            "day_amount_max",
            "A day at most (UTC)",
            &limits.day_amount_max,
        ),
        count("day_count_max", "Times a day", limits.day_count_max),
        amount(
            "month_amount_max",
            "A month at most",
            &limits.month_amount_max,
        ),
        count("month_count_max", "Times a month", limits.month_count_max),
    ]
}
