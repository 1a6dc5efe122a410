//! Judging a token: a token in, its claims or the one rule that it broke out. Pure; time and keys are arguments.
//!
//! A request is judged at its published time, so a backlog never turns a valid payment invalid and a harvested token is
//! worthless after `exp`. Rules in the order they are applied, cheap ones first, one [`TokenError`] each:
//! shape, header (only RS256 and `at+jwt`; nothing but `alg`, `typ` and `kid` is understood, so `crit`, `jku`, `jwk` and
//! `x5u` are refused), key, signature, claims and their JSON types, issuer, audience, lifetime, then `nbf` and `exp`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use jsonwebtoken::Algorithm;
use serde::{Deserialize, Serialize};

use super::claims::{
    ACCESS_TOKEN_TYPE, ACCESS_TYP, Audience, Claims, LEEWAY_SECONDS, LIFETIME_SECONDS_MAX,
};
use super::error::{TOKEN_BYTES_MAX, TokenError};
use super::keys::Keys;
use crate::ids::is_storable;

/// What the header of an access token holds, and all that it may hold.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Always `RS256`.
    pub alg: String,
    /// Always [`ACCESS_TYP`].
    pub typ: String,
    /// Names the key.
    pub kid: String,
}

impl Header {
    /// What a token of ours says which nobody has to verify here.
    ///
    /// # Errors
    /// The first rule of form that its header breaks.
    pub fn of(token: &str) -> Result<Self, TokenError> {
        let (header, _) = token.split_once('.').ok_or(TokenError::Malformed)?;
        read_header(header)
    }
}

/// A verified token: its claims and the key that signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// What it says.
    pub claims: Claims,
    /// Who signed it.
    pub kid: String,
}

/// How the times in a token are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// `nbf` and `exp` as they are written, and `exp` not long after `iat`. The ledger's first two rules decide so.
    AsWritten,
    /// Besides, no token is valid long before or long after it was issued: `nbf` counts as little as `iat`.
    Bounded,
}

/// What tokens are judged by, besides the moment and the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Where they must pass.
    pub audience: Audience,
    /// How their times are judged.
    pub times: Times,
}

impl Policy {
    /// For callers over HTTP.
    pub const HTTP: Self = Self {
        audience: Audience::Http,
        times: Times::Bounded,
    };
    /// For messages of the log.
    pub const LOG: Self = Self {
        audience: Audience::Log,
        times: Times::Bounded,
    };
}

/// Judges a token at a moment.
///
/// # Errors
/// The first rule that it breaks.
pub fn verify(
    token: &str,
    at: DateTime<Utc>,
    policy: Policy,
    keys: &Keys,
) -> Result<Verified, TokenError> {
    let verified = untimed(token, policy.audience, keys)?;
    timely(&verified, at, policy.times)?;
    Ok(verified)
}

/// Every rule but those of time.
pub(super) fn untimed(
    token: &str,
    audience: Audience,
    keys: &Keys,
) -> Result<Verified, TokenError> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenError::Oversize);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
    let header = read_header(header)?;
    let key = keys.get(&header.kid).ok_or(TokenError::KeyUnknown)?;
    match jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &key.public, Algorithm::RS256)
    {
        Ok(true) => {}
        Ok(false) => return Err(TokenError::Signature),
        Err(_) => return Err(TokenError::Malformed),
    }
    let payload = URL_SAFE_NO_PAD
        .decode(payload)
        .map_err(|_| TokenError::Malformed)?;
    // serde also fills a struct from a list of its values; a claims set is an object (RFC 7519 §4).
    if payload.trim_ascii_start().first() != Some(&b'{') {
        return Err(TokenError::Claim);
    }
    // A struct, not a `Value`: serde refuses a known claim that appears twice.
    let claims: Claims = serde_json::from_slice(&payload).map_err(|_| TokenError::Claim)?;
    let names = [&claims.sub, &claims.jti, &claims.user_id].into_iter();
    let actor = claims.act.iter().map(|actor| &actor.sub);
    if !names
        .chain(&claims.sid)
        .chain(actor)
        .all(|name| is_storable(name))
    {
        return Err(TokenError::Claim);
    }
    if claims.iss != key.issuer {
        return Err(TokenError::Issuer);
    }
    if claims.aud != audience.as_str() {
        return Err(TokenError::Audience(audience));
    }
    let lives = claims.exp.checked_sub(claims.iat);
    if claims.token_type != ACCESS_TOKEN_TYPE
        || !lives.is_some_and(|lives| (1..=LIFETIME_SECONDS_MAX).contains(&lives))
    {
        return Err(TokenError::Lifetime);
    }
    Ok(Verified {
        claims,
        kid: header.kid,
    })
}

/// The last rules, the only ones that look at the time.
pub(super) fn timely(
    verified: &Verified,
    at: DateTime<Utc>,
    times: Times,
) -> Result<(), TokenError> {
    let Claims { iat, nbf, exp, .. } = verified.claims;
    let at = at.timestamp();
    if times == Times::Bounded {
        if exp.saturating_sub(nbf) > LIFETIME_SECONDS_MAX + LEEWAY_SECONDS {
            return Err(TokenError::Lifetime);
        }
        if iat.saturating_sub(LEEWAY_SECONDS) > at {
            return Err(TokenError::NotYetValid);
        }
    }
    if at < nbf {
        return Err(TokenError::NotYetValid);
    }
    if at >= exp {
        return Err(TokenError::Expired);
    }
    Ok(())
}

fn read_header(header: &str) -> Result<Header, TokenError> {
    /// Enough of any JWT's header to say which rule it breaks.
    #[derive(Deserialize)]
    struct Loose {
        alg: Option<String>,
        typ: Option<String>,
    }
    let json = URL_SAFE_NO_PAD
        .decode(header)
        .map_err(|_| TokenError::Malformed)?;
    let loose: Loose = serde_json::from_slice(&json).map_err(|_| TokenError::Malformed)?;
    if loose.alg.as_deref() != Some("RS256") {
        return Err(TokenError::Algorithm);
    }
    if loose.typ.as_deref() != Some(ACCESS_TYP) {
        return Err(TokenError::Type);
    }
    serde_json::from_slice(&json).map_err(|_| TokenError::Header)
}

/// The token in the value of an `Authorization` header. The scheme's case does not matter (RFC 9110).
///
/// # Errors
/// [`TokenError::Missing`] for another scheme or an empty token.
pub fn bearer(value: &str) -> Result<&str, TokenError> {
    let (scheme, token) = value.split_once(' ').ok_or(TokenError::Missing)?;
    let token = token.trim();
    if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() {
        Ok(token)
    } else {
        Err(TokenError::Missing)
    }
}
