//! When the last batches went through each step. It is kept in memory, for people who ask where a payment's time went.
//!
//! A batch costs one entry, a payment nothing. The times are this machine's; the log's are the broker's.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use common::service::now;

/// Batches that are remembered: at a thousand payments each, some minutes under full load, and days for a quiet bank.
const BATCHES_MAX: usize = 4096;

/// When one batch went through each step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchSteps {
    /// The first request of the batch.
    pub(crate) first: u64,
    /// The last.
    pub(crate) last: u64,
    /// It was read from the log.
    pub(crate) read_at: DateTime<Utc>,
    /// It was decided.
    pub(crate) decided_at: DateTime<Utc>,
    /// Its transaction was committed.
    pub(crate) booked_at: Option<DateTime<Utc>>,
    /// Its answers were acknowledged by the broker.
    pub(crate) published_at: Option<DateTime<Utc>>,
}

/// The batches of this process, in order.
#[derive(Debug, Default)]
pub(crate) struct Steps(Mutex<VecDeque<BatchSteps>>);

impl Steps {
    /// A batch was decided just now.
    pub(super) fn decided(&self, first: u64, last: u64, read_at: DateTime<Utc>) {
        let mut batches = self.lock();
        // A ledger that starts again decides again what was not committed.
        while batches.back().is_some_and(|batch| batch.last >= first) {
            batches.pop_back();
        }
        if batches.len() == BATCHES_MAX {
            batches.pop_front();
        }
        batches.push_back(BatchSteps {
            first,
            last,
            read_at,
            decided_at: now(),
            booked_at: None,
            published_at: None,
        });
    }

    /// The batch that ends here was committed just now.
    pub(super) fn booked(&self, last: u64) {
        self.note(last, |batch| batch.booked_at = Some(now()));
    }

    /// The answers of the batch that ends here were published just now.
    pub(super) fn published(&self, last: u64) {
        self.note(last, |batch| batch.published_at = Some(now()));
    }

    /// The steps of the batch that this request was in, if it is remembered.
    pub(crate) fn of(&self, seq: u64) -> Option<BatchSteps> {
        let batches = self.lock();
        let at = batches.partition_point(|batch| batch.last < seq);
        batches.get(at).filter(|batch| batch.first <= seq).copied()
    }

    fn note(&self, last: u64, change: impl FnOnce(&mut BatchSteps)) {
        let mut batches = self.lock();
        // It is one of the last few.
        if let Some(batch) = batches.iter_mut().rev().find(|batch| batch.last == last) {
            change(batch);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<BatchSteps>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_the_steps_of_its_batch() {
        let steps = Steps::default();
        let read_at = now();
        steps.decided(1, 10, read_at);
        steps.decided(11, 12, read_at);
        steps.booked(10);
        steps.published(10);
        let first = steps.of(10).unwrap();
        assert_eq!((first.first, first.last), (1, 10));
        assert!(first.booked_at.is_some() && first.published_at >= first.booked_at);
        assert_eq!(steps.of(12).unwrap().booked_at, None);
        assert_eq!(steps.of(13), None);
    }

    #[test]
    fn a_batch_that_is_decided_again_replaces_what_was_known() {
        let steps = Steps::default();
        let read_at = now();
        for (first, last) in [(1, 10), (11, 20), (11, 15)] {
            steps.decided(first, last, read_at);
        }
        assert_eq!(steps.of(15).unwrap().last, 15);
        assert_eq!(steps.of(16), None);
        assert_eq!(steps.of(3).unwrap().last, 10);
    }

    #[test]
    fn only_so_many_batches_are_kept() {
        let steps = Steps::default();
        let count = u64::try_from(BATCHES_MAX).unwrap() + 5;
        for seq in 1..=count {
            steps.decided(seq, seq, now());
        }
        assert_eq!(steps.of(5), None);
        assert!(steps.of(6).is_some() && steps.of(count).is_some());
    }
}
