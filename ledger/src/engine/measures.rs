//! What the engine measures: a few numbers for each batch, none for a payment.

use std::time::Duration;

use common::reason::Code;
use common::service::as_gauge;
use metrics::{Gauge, Histogram, counter, gauge, histogram};
use tokio::time::Instant;

use crate::core::batch::Batch;

/// The steps of a batch, each with the times that it took.
#[derive(Clone)]
pub(crate) struct Measures {
    messages: Histogram,
    verify: Histogram,
    load: Histogram,
    decide: Histogram,
    write: Histogram,
    publish: Histogram,
    leading: Gauge,
    cursor: Gauge,
    published: Gauge,
}

/// One step of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    Verify,
    Load,
    Decide,
    Write,
    Publish,
}

impl Default for Measures {
    fn default() -> Self {
        let step = |step: &'static str| histogram!("quittance_batch_step_seconds", "step" => step);
        Self {
            messages: histogram!("quittance_batch_messages"),
            verify: step("verify"),
            load: step("load"),
            decide: step("decide"),
            write: step("write"),
            publish: step("publish"),
            leading: gauge!("quittance_ledger_leading"),
            cursor: gauge!("quittance_ledger_cursor"),
            published: gauge!("quittance_ledger_published"),
        }
    }
}

impl Measures {
    /// It leads from here on, or leads no longer.
    pub(super) fn leads(&self, is_leading: bool) {
        self.leading.set(f64::from(u8::from(is_leading)));
    }

    /// A step took until now. Returns now, when the next one begins.
    pub(super) fn took(&self, step: Step, began: Instant) -> Instant {
        let now = Instant::now();
        let histogram = match step {
            Step::Verify => &self.verify,
            Step::Load => &self.load,
            Step::Decide => &self.decide,
            Step::Write => &self.write,
            Step::Publish => &self.publish,
        };
        let took: Duration = now - began;
        histogram.record(took);
        now
    }

    /// Where the ledger begins to lead.
    pub(super) fn stands_at(&self, cursor: u64, published: u64) {
        self.cursor.set(as_gauge(cursor));
        self.published.set(as_gauge(published));
    }

    /// This batch was committed.
    pub(super) fn booked(&self, batch: &Batch) {
        self.cursor.set(as_gauge(batch.to.seq));
        let count = u32::try_from(batch.decided.len()).unwrap_or(u32::MAX);
        self.messages.record(f64::from(count));
        // A batch has some few outcomes: a list is the fastest map of them.
        let mut outcomes: Vec<((&'static str, Option<Code>), u64)> = Vec::new();
        for decided in &batch.decided {
            let outcome = decided.answer.outcome();
            match outcomes.iter_mut().find(|(known, _)| *known == outcome) {
                Some((_, count)) => *count += 1,
                None => outcomes.push((outcome, 1)),
            }
        }
        for ((status, code), count) in outcomes {
            let code = code.map_or("", Code::as_str);
            counter!("quittance_answers_total", "status" => status, "code" => code)
                .increment(count);
        }
    }

    /// Answers up to this one were published.
    pub(super) fn published(&self, seq: u64) {
        self.published.set(as_gauge(seq));
    }
}
