//! Whom the ledger believes: the keys that tokens are signed with.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kinds::body::{AnswerBody, RequestBody};
use crate::message::{EventHeaders, Outgoing};
use crate::reason::Reason;
use crate::timestamp;

/// The `ce-type` of a key announcement.
pub const REQUESTED: &str = "key.requested.v1";
/// Where auth announces signing keys.
pub const SUBJECT: &str = "request.auth.v1.keys";

impl AnnounceKey {
    /// The message that announces it, from auth.
    #[must_use]
    pub fn message(&self, token: &str) -> Outgoing {
        let event = EventHeaders {
            ce_type: REQUESTED,
            ce_id: &self.kid,
            ce_source: "/auth",
        };
        Outgoing::request(SUBJECT.to_owned(), token, event, None, self)
    }
}

/// Announces the public half of a signing key. Subject `request.auth.v1.keys`; only auth may publish there.
///
/// It is sent under a token signed with a key that is already known; the very first key vouches for itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "key.requested.v1")]
pub struct AnnounceKey {
    /// The key's name in token headers: its RFC 7638 thumbprint.
    pub kid: String,
    /// The `iss` of every token that this key signs.
    pub issuer: String,
    /// RSA modulus, base64url without padding.
    pub n: String,
    /// RSA public exponent, base64url without padding.
    pub e: String,
}

impl RequestBody for AnnounceKey {}

/// What became of a key announcement. Readers learn the keys from here: only noted ones count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "key.noted.v1, key.rejected.v1, key.duplicate.v1")]
pub struct KeyAnswer {
    /// Sequence of the request and of this answer.
    pub request_seq: u64,
    /// The key's name.
    pub kid: Option<String>,
    /// The outcome.
    pub status: KeyStatus,
    /// Why it was rejected; `null` otherwise.
    pub reason: Option<Reason>,
    /// The `iss` of its tokens.
    pub issuer: Option<String>,
    /// RSA modulus, base64url.
    pub n: Option<String>,
    /// RSA public exponent, base64url.
    pub e: Option<String>,
    /// The broker's timestamp of the request.
    #[serde(with = "timestamp")]
    #[schemars(with = "DateTime<Utc>")]
    pub published_at: DateTime<Utc>,
}

/// The outcome of a key announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyStatus {
    /// Tokens it signs are accepted in every request behind this one.
    Noted,
    /// It is not accepted.
    Rejected,
    /// It was known.
    Duplicate,
}

impl KeyStatus {
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

impl AnswerBody for KeyAnswer {
    fn ce_type(&self) -> &'static str {
        match self.status {
            KeyStatus::Noted => "key.noted.v1",
            KeyStatus::Rejected => "key.rejected.v1",
            KeyStatus::Duplicate => "key.duplicate.v1",
        }
    }

    fn about(&self) -> Option<String> {
        self.kid.clone()
    }

    fn outcome(&self) -> (&'static str, Option<&Reason>) {
        (self.status.as_str(), self.reason.as_ref())
    }

    fn request_seq(&self) -> u64 {
        self.request_seq
    }
}
