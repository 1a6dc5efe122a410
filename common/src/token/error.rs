//! The rules that a token can break, one error each.

use super::claims::{Audience, LIFETIME_SECONDS_MAX};

/// Longest token, in bytes: ours are about 900, a NATS header block holds 4096 well.
pub const TOKEN_BYTES_MAX: usize = 4096;

/// The rule that a token broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TokenError {
    /// There is no token.
    #[error("token_missing: send `Authorization: Bearer <token>`")]
    Missing,
    /// More than [`TOKEN_BYTES_MAX`].
    #[error("token_oversize: a token has at most {TOKEN_BYTES_MAX} bytes")]
    Oversize,
    /// Not three base64url parts with JSON in the first two.
    #[error("token_malformed: this is no JWT")]
    Malformed,
    /// Not RS256.
    #[error("alg_rejected: only RS256 is accepted")]
    Algorithm,
    /// Not `at+jwt`.
    #[error("typ_rejected: only access tokens (typ at+jwt) are accepted")]
    Type,
    /// A header parameter besides `alg`, `typ` and `kid`.
    #[error("header_rejected: the header may hold alg, typ and kid only")]
    Header,
    /// No such key has been announced.
    #[error("key_unknown: no key with this kid has been announced")]
    KeyUnknown,
    /// The signature is not this key's.
    #[error("bad_signature: the signature does not fit the key")]
    Signature,
    /// A required claim is missing, repeated, of the wrong JSON type, or a name that can't be kept.
    #[error("claim_invalid: a required claim is missing or has the wrong type or form")]
    Claim,
    /// Not issued by the owner of the key.
    #[error("iss_rejected: the issuer is not the key's")]
    Issuer,
    /// For somebody else.
    #[error("aud_rejected: the audience is not {}", .0.as_str())]
    Audience(Audience),
    /// A refresh token, or one that lives too long.
    #[error("lifetime_rejected: an access token lives at most {LIFETIME_SECONDS_MAX} s")]
    Lifetime,
    /// `nbf` is after the moment of judgement.
    #[error("not_yet_valid: the token was not valid yet when this was published")]
    NotYetValid,
    /// `exp` is not after the moment of judgement.
    #[error("expired_at_publish: the token had expired when this was published")]
    Expired,
    /// Its key, its client, its person, its login or itself was revoked.
    #[error("revoked: this token was revoked; log in again")]
    Revoked,
}
