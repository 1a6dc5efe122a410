//! Where the tests make the ledger die as by `kill -9`. In a release build there is no such place.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A place between two steps of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum CrashPoint {
    /// A batch is decided, nothing of it is written.
    BeforeWrite,
    /// Rarer changes are written, the payments of their batch are not.
    BeforePayments,
    /// Answers are written; the ids that batches of payments used up are not (first visit), or the postings are not (second).
    BeforeCopy,
    /// All of it is committed, nothing is published.
    AfterCommit,
    /// One atomic batch of a recovery is published, the next is not.
    BetweenBatches,
    /// A file is written, and not described as ready.
    BeforeFiling,
}

/// Which place, and at which visit.
#[derive(Debug, Clone, Default)]
pub struct CrashAt {
    point: Option<CrashPoint>,
    visits_left: Arc<AtomicU32>,
}

impl CrashAt {
    /// Dies at the `visit`-th time (from 1) that this place is passed; never without a place.
    #[must_use]
    pub fn new(point: Option<CrashPoint>, visit: u32) -> Self {
        Self {
            point,
            visits_left: Arc::new(AtomicU32::new(visit)),
        }
    }

    /// Dies here if this is the place and the visit.
    pub(crate) fn here(&self, point: CrashPoint) {
        if cfg!(debug_assertions)
            && self.point == Some(point)
            && self.visits_left.fetch_sub(1, Ordering::SeqCst) == 1
        {
            // Nothing is flushed or dropped, as with `kill -9`.
            std::process::abort();
        }
    }
}
