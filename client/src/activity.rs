//! What the bank is doing, at payments.

#![expect(
    missing_docs,
    reason = "the names of the JSON; payments says what they mean"
)]

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Client, Result};

/// The last minutes, second by second.
#[derive(Debug, Deserialize)]
pub struct Activity {
    pub now: DateTime<Utc>,
    pub projected: u64,
    pub settlements: u64,
    pub seconds: Vec<ActiveSecond>,
}

/// The payments that were decided in one second.
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
pub struct ActiveSecond {
    pub at: i64,
    pub settled: u64,
    pub rejected: u64,
    pub p50_us: u64,
    pub p99_us: u64,
}

/// When one answer was projected.
#[derive(Debug, Deserialize)]
pub struct Projected {
    pub request_seq: u64,
    pub projected_at: Option<DateTime<Utc>>,
}

impl Client {
    /// What the bank is doing.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn activity(&self, token: &str) -> Result<Activity> {
        let payments = &self.addresses.payments;
        self.get(token, payments, "/activity", &[]).await
    }

    /// When this answer was projected.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn projected(&self, token: &str, seq: u64) -> Result<Projected> {
        let path = format!("/activity/{seq}");
        self.get(token, &self.addresses.payments, &path, &[]).await
    }
}
