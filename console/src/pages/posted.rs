//! A posting as a row of a table.

use chrono::NaiveDate;
use client::AccountPosting;

use crate::prefix::Prefix;
use crate::show::{Id, Time};

/// The row.
pub(super) struct Posted {
    pub(super) seq: Id,
    pub(super) at: Time,
    /// Its value date, if that is another day.
    pub(super) value_date: Option<NaiveDate>,
    pub(super) what: String,
    pub(super) counterparty: Option<Id>,
    pub(super) payment: Option<Id>,
    pub(super) debit: String,
    pub(super) credit: String,
    pub(super) balance: String,
}

impl Posted {
    pub(super) fn of(posting: AccountPosting, prefix: &Prefix) -> Self {
        let (debit, credit) = match posting.direction.as_str() {
            "debit" => (posting.amount, String::new()),
            _ => (String::new(), posting.amount),
        };
        let client = posting.client_id.as_deref();
        Self {
            seq: Id::seq(posting.request_seq, prefix),
            at: Time::at(posting.booked_at),
            value_date: Some(posting.effective_date)
                .filter(|day| *day != posting.booked_at.date_naive()),
            what: posting.reference.unwrap_or_default(),
            counterparty: posting.counterparty.map(|id| {
                let path = format!("/accounts/{id}");
                match posting.counterparty_number {
                    Some(number) => Id::link(number, prefix, &path),
                    None => Id::account(id, prefix),
                }
            }),
            payment: posting.payment_id.map(|id| Id::payment(id, client, prefix)),
            debit,
            credit,
            balance: posting.balance,
        }
    }
}
