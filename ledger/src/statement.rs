//! Statements: what an account came to, and every posting between, in the order it was booked or by value date.
//!
//! A [`Statement`] says which account, which days, in which order, and as it was known when which request was the last
//! one: `seq`. History is never rewritten, so all of its pages fit together whatever is booked between them, today or in a
//! year. Its lines are read from a [`Position`] on, a page at a time; [`csv`] and [`camt053`] write them down.
//!
//! The sum is checked where it is made: the last line's balance is the closing balance, or the statement ends with an error.

mod entry;
mod page;

pub(crate) mod camt053;
pub(crate) mod csv;

#[cfg(test)]
mod tests;

use chrono::{DateTime, TimeDelta, Utc};

pub(crate) use entry::{AccountPosting, Numbers};
pub(crate) use page::{By, Days, Fault, Position, Statement, balance_at};

/// The first moment that is behind this one: times are kept in microseconds. No log is older than 1970, and a database has
/// no room for every time that can be asked for.
pub(crate) fn just_behind(moment: DateTime<Utc>) -> DateTime<Utc> {
    let next = moment.checked_add_signed(TimeDelta::microseconds(1));
    next.unwrap_or(moment).max(DateTime::UNIX_EPOCH)
}
