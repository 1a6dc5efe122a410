//! Which tokens the ledger believes no more: revocations, told by auth in the log.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::kinds::body::{AnswerBody, RequestBody};
use crate::message::{EventHeaders, Outgoing};
use crate::reason::Reason;
use crate::timestamp;
use crate::token::Target;

/// The `ce-type` of a revocation.
pub const REQUESTED: &str = "revocation.requested.v1";
/// Where auth revokes.
pub const SUBJECT: &str = "request.auth.v1.revocations";
/// Longest `because`, in characters.
pub const BECAUSE_CHARS_MAX: usize = 64;

impl Revoke {
    /// The message that asks for it, from auth.
    #[must_use]
    pub fn message(&self, token: &str) -> Outgoing {
        let event = EventHeaders {
            ce_type: REQUESTED,
            ce_id: self.revocation_id,
            ce_source: "/auth",
        };
        Outgoing::request(SUBJECT.to_owned(), token, event, None, self)
    }
}

/// Asks that tokens are refused in every request behind this one; those before it keep their answers. Subject
/// `request.auth.v1.revocations`; only auth may publish there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "revocation.requested.v1")]
pub struct Revoke {
    /// Chosen by auth; the same one may come twice.
    pub revocation_id: Uuid,
    /// Which tokens.
    pub target: Target,
    /// Why: a word such as `logged_out` or `deactivated`.
    #[schemars(regex(pattern = "^[a-z_]{1,64}$"))]
    pub because: String,
}

impl RequestBody for Revoke {}

/// What became of a revocation. Services learn of revocations from here: only noted ones count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "revocation.noted.v1, revocation.rejected.v1, revocation.duplicate.v1")]
pub struct RevocationAnswer {
    /// Sequence of the request and of this answer.
    pub request_seq: u64,
    /// As in the request.
    pub revocation_id: Option<Uuid>,
    /// The outcome.
    pub status: RevocationStatus,
    /// Why it was rejected; `null` otherwise.
    pub reason: Option<Reason>,
    /// Which tokens.
    pub target: Option<Target>,
    /// Why they were revoked.
    pub because: Option<String>,
    /// The broker's timestamp of the request.
    #[serde(with = "timestamp")]
    #[schemars(with = "DateTime<Utc>")]
    pub published_at: DateTime<Utc>,
}

/// The outcome of a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RevocationStatus {
    /// The tokens are refused in every request behind this one.
    Noted,
    /// Nothing changed.
    Rejected,
    /// All of them were revoked before.
    Duplicate,
}

impl RevocationStatus {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Noted => "noted",
            Self::Rejected => "rejected",
            Self::Duplicate => "duplicate",
        }
    }
}

impl AnswerBody for RevocationAnswer {
    fn ce_type(&self) -> &'static str {
        match self.status {
            RevocationStatus::Noted => "revocation.noted.v1",
            RevocationStatus::Rejected => "revocation.rejected.v1",
            RevocationStatus::Duplicate => "revocation.duplicate.v1",
        }
    }

    fn about(&self) -> Option<String> {
        self.revocation_id.map(|id| id.to_string())
    }

    fn outcome(&self) -> (&'static str, Option<&Reason>) {
        (self.status.as_str(), self.reason.as_ref())
    }

    fn request_seq(&self) -> u64 {
        self.request_seq
    }
}
