//! What an access token says, and what it allows.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::ClientId;

/// The `aud` of every token that this system's services accept.
pub const AUDIENCE: &str = "quittance";
/// The `typ` of an access token. Source: RFC 9068.
pub const ACCESS_TYP: &str = "at+jwt";
/// The `token_type` of an access token. Source: SimpleJWT.
pub const ACCESS_TOKEN_TYPE: &str = "access";
/// Longest life of an access token. Whoever finds one in a stream's files has this long at most.
pub const LIFETIME_SECONDS_MAX: i64 = 900;
/// How far the clocks of issuer and broker may differ, in seconds: a token may be valid so long before it was issued.
pub const LEEWAY_SECONDS: i64 = 30;
/// Longest `sub`, `jti` or `user_id`, in characters. The ledger keeps them; a UUID has 36, an e-mail address fits.
pub const NAME_CHARS_MAX: usize = 128;

/// What an access token says. `token_type` and `user_id` are SimpleJWT's, so verifiers of the old system read it too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued it: the issuer that the key was announced with.
    pub iss: String,
    /// Whose accounts it may use.
    pub sub: String,
    /// Always [`AUDIENCE`].
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
