//! What an access token says, and what it allows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::{AccountId, ClientId};

/// Where a token passes. Neither passes where the other belongs, so a token that stands in the log is worthless to
/// whoever reads the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Over HTTP, at every service.
    Http,
    /// In messages of the log of requests.
    Log,
}

impl Audience {
    /// The `aud` of a token.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "quittance",
            Self::Log => "quittance-log",
        }
    }

    /// The audience of an `aud`.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Http, Self::Log]
            .into_iter()
            .find(|audience| audience.as_str() == word)
    }
}

/// The `typ` of an access token. Source: RFC 9068.
pub const ACCESS_TYP: &str = "at+jwt";
/// The `token_type` of an access token. Source: SimpleJWT.
pub const ACCESS_TOKEN_TYPE: &str = "access";
/// Longest life of an access token. Whoever finds one in a stream's files has this long at most.
pub const LIFETIME_SECONDS_MAX: i64 = 900;
/// How far the clocks of issuer and broker may differ, in seconds: a token may be valid so long before it was issued.
pub const LEEWAY_SECONDS: i64 = 30;

/// What an access token says. `token_type` and `user_id` are SimpleJWT's, so verifiers of the old system read it too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued it: the issuer that the key was announced with.
    pub iss: String,
    /// Whose accounts it may use.
    pub sub: String,
    /// Where it passes: an [`Audience`].
    pub aud: String,
    /// The producer.
    pub client_id: ClientId,
    /// Space-separated [`Scope`]s; unknown ones grant nothing.
    pub scope: String,
    /// Issued at, in seconds since 1970.
    pub iat: i64,
    /// Not valid before, in seconds since 1970.
    pub nbf: i64,
    /// Not valid from this second on.
    pub exp: i64,
    /// The token's own id.
    pub jti: String,
    /// Always [`ACCESS_TOKEN_TYPE`].
    pub token_type: String,
    /// The person's or service account's id.
    pub user_id: String,
    /// The login that it descends from, which can be ended; a service account has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// Who acts for `sub` under its mandate. Source: RFC 8693 §4.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Actor>,
    /// The most that one payment may move, by currency; in a currency that is missing, nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_max: Option<BTreeMap<String, String>>,
    /// The only accounts that may be debited; all that the scope allows when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts: Option<Vec<AccountId>>,
}

/// Who acts for somebody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// A service account's id.
    pub sub: String,
}

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Pay from accounts that the subject owns.
    PaymentsSubmit,
    /// Pay from any customer's account: a trusted platform.
    PaymentsSubmitAny,
    /// Read payments.
    PaymentsRead,
    /// Read accounts.
    AccountsRead,
    /// Open accounts.
    AccountsWrite,
    /// Anything with any account, the bank's own too.
    BankOperate,
    /// Administer auth.
    AuthAdmin,
    /// Read the logs.
    AuditRead,
}

impl Scope {
    /// Every scope.
    pub const ALL: &[Self] = &[
        Self::PaymentsSubmit,
        Self::PaymentsSubmitAny,
        Self::PaymentsRead,
        Self::AccountsRead,
        Self::AccountsWrite,
        Self::BankOperate,
        Self::AuthAdmin,
        Self::AuditRead,
    ];

    /// The word in a token.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PaymentsSubmit => "payments:submit",
            Self::PaymentsSubmitAny => "payments:submit-any",
            Self::PaymentsRead => "payments:read",
            Self::AccountsRead => "accounts:read",
            Self::AccountsWrite => "accounts:write",
            Self::BankOperate => "bank:operate",
            Self::AuthAdmin => "auth:admin",
            Self::AuditRead => "audit:read",
        }
    }
}

impl Claims {
    /// Whether the token carries one of these scopes.
    #[must_use]
    pub fn allows_any(&self, scopes: &[Scope]) -> bool {
        self.scope
            .split_ascii_whitespace()
            .any(|word| scopes.iter().any(|scope| scope.as_str() == word))
    }

    /// Whether the token carries this scope.
    #[must_use]
    pub fn allows(&self, scope: Scope) -> bool {
        self.allows_any(&[scope])
    }
}

/// A new token id: 32 hex digits, as SimpleJWT's.
#[must_use]
pub fn new_jti() -> String {
    Uuid::new_v4().simple().to_string()
}
