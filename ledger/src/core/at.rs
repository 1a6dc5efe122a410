//! Where and when a request was stored, and by which rules it is decided.

use chrono::{DateTime, NaiveDate, Utc};

use crate::core::rules::Rules;

/// A request's place and time in the log, which every answer repeats, and its rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// Its sequence.
    pub seq: u64,
    /// Its published time, the only clock.
    pub published_at: DateTime<Utc>,
    /// The rules that the log had raised before it.
    pub rules: Rules,
}

impl At {
    /// The day (UTC) on which it was stored: the booked day of whatever it books.
    #[must_use]
    pub fn day(self) -> NaiveDate {
        self.published_at.date_naive()
    }
}
