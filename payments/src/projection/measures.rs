//! What is measured of payments while they are projected: a few numbers for each batch, one for a payment.

use chrono::{DateTime, TimeDelta, Utc};
use common::service::as_gauge;
use metrics::{Gauge, Histogram, counter, gauge, histogram};

use super::cursors::Log;
use crate::store::DecidedRow;

/// Of the projection of this process.
pub(super) struct Measures {
    requests: Gauge,
    settlements: Gauge,
    settled: Histogram,
    behind: Histogram,
}

impl Default for Measures {
    fn default() -> Self {
        let cursor = |log: Log| gauge!("quittance_projection_cursor", "log" => log.stream());
        Self {
            requests: cursor(Log::Requests),
            settlements: cursor(Log::Settlements),
            settled: histogram!("quittance_submit_to_settle_seconds"),
            behind: histogram!("quittance_projection_behind_seconds"),
        }
    }
}

impl Measures {
    /// This log is projected up to here.
    pub(super) fn projected(&self, log: Log, seq: u64) {
        let cursor = match log {
            Log::Requests => &self.requests,
            Log::Settlements => &self.settlements,
        };
        cursor.set(as_gauge(seq));
    }

    /// These payments were projected at this time.
    pub(super) fn decided(&self, payments: &[DecidedRow], at: DateTime<Utc>) {
        // A batch has some few states: a list is the fastest map of them.
        let mut states: Vec<(&'static str, u64)> = Vec::new();
        for payment in payments {
            self.settled
                .record(seconds(payment.decided_at - payment.published_at));
            let state = payment.state.status().as_str();
            match states.iter_mut().find(|(known, _)| *known == state) {
                Some((_, count)) => *count += 1,
                None => states.push((state, 1)),
            }
        }
        for (state, count) in states {
            counter!("quittance_payments_total", "state" => state).increment(count);
        }
        if let Some(last) = payments.iter().map(|payment| payment.decided_at).max() {
            self.behind.record(seconds(at - last));
        }
    }
}

/// Clocks of two machines may differ: what seems to end before it began took no time.
fn seconds(took: TimeDelta) -> f64 {
    took.to_std().unwrap_or_default().as_secs_f64()
}
