//! The rules by which the ledger decides, raised in the log so that a replay knows which held when.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kinds::body::{AnswerBody, RequestBody};
use crate::reason::Reason;
use crate::timestamp;

/// The `ce-type` of a raise.
pub const REQUESTED: &str = "rules.requested.v1";
/// The newest rules whose answers this program can read; the ledger decides by these or older ones.
pub const NEWEST: u32 = 6;
/// From these rules on, a request needs a token for the log ([`crate::token::Audience::Log`]).
pub const LOG_TOKENS: u32 = 4;
/// Where the ledger raises its rules.
pub const SUBJECT: &str = "request.rules.v1.ledger";

/// Asks that every later request is decided by these rules. Subject `request.rules.v1.ledger`; only the ledger may
/// publish there.
///
/// Unknown fields are allowed: a newer ledger may say more, and an older one must still read which rules it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "rules.requested.v1")]
pub struct RaiseRules {
    /// Version of the rules, from 1.
    #[schemars(range(min = 1))]
    pub rules: u32,
}

impl RequestBody for RaiseRules {}

/// What became of a raise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "rules.raised.v1, rules.rejected.v1, rules.duplicate.v1")]
pub struct RulesAnswer {
    /// Sequence of the request and of this answer.
    pub request_seq: u64,
    /// The rules by which every request behind this one is decided.
    pub rules: u32,
    /// The outcome.
    pub status: RulesStatus,
    /// Why it was rejected; `null` otherwise.
    pub reason: Option<Reason>,
    /// The broker's timestamp of the request.
    #[serde(with = "timestamp")]
    #[schemars(with = "DateTime<Utc>")]
    pub published_at: DateTime<Utc>,
}

/// The outcome of a raise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RulesStatus {
    /// These rules hold from here on.
    Raised,
    /// Nothing changed.
    Rejected,
    /// These or newer rules hold already.
    Duplicate,
}

impl AnswerBody for RulesAnswer {
    fn ce_type(&self) -> &'static str {
        match self.status {
            RulesStatus::Raised => "rules.raised.v1",
            RulesStatus::Rejected => "rules.rejected.v1",
            RulesStatus::Duplicate => "rules.duplicate.v1",
        }
    }

    fn about(&self) -> Option<String> {
        None
    }

    fn outcome(&self) -> (&'static str, Option<&Reason>) {
        (self.status.as_str(), self.reason.as_ref())
    }

    fn request_seq(&self) -> u64 {
        self.request_seq
    }
}

impl RulesStatus {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Rejected => "rejected",
            Self::Duplicate => "duplicate",
        }
    }
}
