//! Where and when a request was stored.

use chrono::{DateTime, Utc};

/// A request's place and time in the log, which every answer repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// Its sequence.
    pub seq: u64,
    /// Its published time, the only clock.
    pub published_at: DateTime<Utc>,
}
