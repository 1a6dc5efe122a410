//! A request that no kind claims. The log holds it, so it is answered too.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kinds::body::AnswerBody;
use crate::reason::Reason;
use crate::timestamp;

/// The rejection of a request whose subject is no known kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "request.rejected.v1")]
pub struct UnknownAnswer {
    /// Sequence of the request and of this answer.
    pub request_seq: u64,
    /// Always rejected.
    pub status: RejectedStatus,
    /// Why.
    pub reason: Reason,
    /// The broker's timestamp of the request.
    #[serde(with = "timestamp")]
    #[schemars(with = "DateTime<Utc>")]
    pub published_at: DateTime<Utc>,
}

/// The one outcome of a request of no known kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RejectedStatus {
    /// Nothing changed.
    Rejected,
}

impl AnswerBody for UnknownAnswer {
    fn ce_type(&self) -> &'static str {
        "request.rejected.v1"
    }

    fn about(&self) -> Option<String> {
        None
    }

    fn outcome(&self) -> (&'static str, Option<&Reason>) {
        ("rejected", Some(&self.reason))
    }

    fn request_seq(&self) -> u64 {
        self.request_seq
    }
}
