//! What happened in the last minutes, second by second, and when the last answers were projected: for a screen that people
//! watch. It is kept in memory, of what this process projected.
//!
//! A payment costs one entry in a histogram. Times are the broker's, so a backlog that is projected late shows how long
//! its payments took, not how late they were read.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use hdrhistogram::Histogram;

use crate::state::State;
use crate::store::DecidedRow;

/// Seconds that are remembered.
const SECONDS_MAX: i64 = 300;
/// Projected batches that are remembered; see the ledger's steps.
const BATCHES_MAX: usize = 4096;
/// Longest time that is told apart from longer ones, in microseconds: one minute.
const LATENCY_US_MAX: u64 = 60_000_000;

/// The payments that were decided in one second.
pub(crate) struct Second {
    /// Since 1970.
    pub(crate) second: i64,
    pub(crate) settled: u64,
    pub(crate) rejected: u64,
    /// Microseconds from the request's timestamp to the answer's.
    latency_us: Histogram<u32>,
}

impl Second {
    fn new(second: i64) -> Self {
        let latency_us = Histogram::new_with_max(LATENCY_US_MAX, 2);
        Self {
            second,
            settled: 0,
            rejected: 0,
            latency_us: latency_us.expect("constant bounds"),
        }
    }

    /// The latency that this many percent of the payments stayed within, in microseconds.
    pub(crate) fn latency_us(&self, percent: u8) -> u64 {
        self.latency_us.value_at_percentile(f64::from(percent))
    }
}

/// What this process has projected lately.
#[derive(Default)]
pub(crate) struct Activity(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    /// In order.
    seconds: VecDeque<Second>,
    /// The last answer of each batch, and when the batch was committed.
    batches: VecDeque<(u64, DateTime<Utc>)>,
}

impl Activity {
    /// The answers up to `last` were committed at this time, these payments among them.
    pub(super) fn projected(&self, last: u64, payments: &[DecidedRow], at: DateTime<Utc>) {
        let mut remembered = self.lock();
        if remembered.batches.len() == BATCHES_MAX {
            remembered.batches.pop_front();
        }
        remembered.batches.push_back((last, at));
        for payment in payments {
            remembered.note(payment);
        }
    }

    /// When this answer was projected, if it is remembered.
    pub(crate) fn projected_at(&self, seq: u64) -> Option<DateTime<Utc>> {
        let remembered = self.lock();
        let batches = &remembered.batches;
        let at = batches.partition_point(|(last, _)| *last < seq);
        // The first batch that is remembered may have begun before.
        let is_known = at > 0 || batches.front().is_some_and(|(last, _)| *last == seq);
        batches.get(at).filter(|_| is_known).map(|(_, at)| *at)
    }

    /// Looks at the seconds that are remembered, in order; seconds without a payment are not among them.
    pub(crate) fn seconds<R>(&self, look: impl FnMut(&Second) -> R) -> Vec<R> {
        self.lock().seconds.iter().map(look).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remembered {
    fn note(&mut self, payment: &DecidedRow) {
        let second = payment.decided_at.timestamp();
        let newest = self.seconds.back().map_or(i64::MIN, |last| last.second);
        if second > newest {
            self.seconds.push_back(Second::new(second));
            let oldest = second - SECONDS_MAX;
            while self
                .seconds
                .front()
                .is_some_and(|first| first.second <= oldest)
            {
                self.seconds.pop_front();
            }
        }
        // Rows come by payment, not by time.
        let Some(known) = self
            .seconds
            .iter_mut()
            .rev()
            .find(|known| known.second == second)
        else {
            return;
        };
        match payment.state {
            State::Rejected | State::Retryable | State::Pending => known.rejected += 1,
            State::Settled
            | State::Authorised
            | State::Captured
            | State::Voided
            | State::Expired
            | State::Reversed => known.settled += 1,
        }
        let took = payment.decided_at - payment.published_at;
        let took = took.num_microseconds().unwrap_or(i64::MAX).max(0);
        known.latency_us.saturating_record(took.unsigned_abs());
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use common::ids::PaymentId;

    use super::*;

    /// A payment that was decided so many seconds after 1970, after so many milliseconds.
    fn decided(second: i64, took_ms: i64, state: State) -> DecidedRow {
        let decided_at = DateTime::from_timestamp(second, 0).unwrap();
        DecidedRow {
            client_id: "shop".parse().unwrap(),
            payment_id: PaymentId(uuid::Uuid::nil()),
            request_seq: 1,
            state,
            published_at: decided_at - TimeDelta::milliseconds(took_ms),
            decided_at,
            kind: None,
            json: String::new(),
        }
    }

    fn seconds(activity: &Activity) -> Vec<(i64, u64, u64, u64)> {
        activity.seconds(|one| {
            (
                one.second,
                one.settled,
                one.rejected,
                one.latency_us(99) / 1000,
            )
        })
    }

    #[test]
    fn payments_are_counted_in_the_second_they_were_decided_in() {
        let activity = Activity::default();
        let at = DateTime::from_timestamp(1000, 0).unwrap();
        let batch = [
            decided(1001, 5, State::Settled),
            decided(1001, 5, State::Rejected),
            decided(1003, 70, State::Settled),
            // Rows come by payment, not by time.
            decided(1001, 5, State::Settled),
        ];
        activity.projected(4, &batch, at);
        assert_eq!(seconds(&activity), [(1001, 2, 1, 5), (1003, 1, 0, 70)]);
        // A minute is the longest time that is told apart, and an answer before its request took no time.
        activity.projected(5, &[decided(1003, 3_600_000, State::Settled)], at);
        activity.projected(6, &[decided(1004, -5, State::Settled)], at);
        let (_, _, _, longest) = seconds(&activity)[1];
        assert!((60_000..61_000).contains(&longest), "{longest}");
        activity.projected(7, &[decided(1303, 1, State::Settled)], at);
        assert_eq!(seconds(&activity)[0].0, 1004, "older than five minutes");
    }

    #[test]
    fn an_answer_has_the_time_of_its_batch() {
        let activity = Activity::default();
        let [first, second] = [1, 2].map(|at| DateTime::from_timestamp(at, 0).unwrap());
        activity.projected(10, &[], first);
        activity.projected(20, &[], second);
        // Nobody knows where the first batch began.
        for (seq, expected) in [
            (9, None),
            (10, Some(first)),
            (11, Some(second)),
            (20, Some(second)),
            (21, None),
        ] {
            assert_eq!(activity.projected_at(seq), expected, "{seq}");
        }
    }
}
