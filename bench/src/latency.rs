//! The latencies of payments at one offered rate, as values.

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::numbers::float;

/// How payments come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Entrance {
    /// Over NATS straight into the log, each as a message of its own that waits for its own acknowledgement only.
    #[serde(rename = "nats")]
    Direct,
    /// Over NATS through payments, each as a message of its own.
    Door,
    /// Over HTTP, `POST /payments`.
    Http,
}

impl Entrance {
    /// For people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "NATS, directly, one each",
            Self::Door => "NATS, at the door, one each",
            Self::Http => "HTTP, POST /payments",
        }
    }
}

/// What payments at one rate met.
#[derive(Debug, Clone, Serialize)]
pub struct Latency {
    /// The way in.
    #[serde(rename = "door")]
    pub entrance: Entrance,
    /// Payments offered a second.
    pub offered_per_s: u32,
    /// Payments answered a second, warm-up included.
    pub answered_per_s: f64,
    /// Whether the last answer came soon after the last payment was due. A path that falls behind is later the longer it runs.
    pub kept_up: bool,
    /// Payments that were refused (429) or not acknowledged in time.
    pub refused: usize,
    /// From the intended moment of sending to the answer, read from SETTLEMENTS.
    pub end_to_end: Percentiles,
    /// From the intended moment of sending to the `202` or the `PubAck`: the payment is durable.
    pub accepted: Percentiles,
}

/// Latencies in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Percentiles {
    /// Half are faster.
    pub p50_ms: f64,
    /// One in a hundred is slower.
    pub p99_ms: f64,
    /// One in a thousand is slower.
    pub p999_ms: f64,
    /// The slowest.
    pub max_ms: f64,
    /// How many were measured.
    pub count: u64,
}

impl Percentiles {
    /// Of a histogram of microseconds.
    pub(crate) fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| float(histogram.value_at_quantile(quantile)) / 1000.0;
        Self {
            p50_ms: at(0.50),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: float(histogram.max()) / 1000.0,
            count: histogram.len(),
        }
    }
}
