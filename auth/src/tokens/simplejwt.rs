//! Tokens as SimpleJWT has them, besides access tokens: refresh and sliding ones, and reading any of them in its words.
//!
//! Both are of another `typ` than access tokens and have no audience, so no service of the bank takes one for an access
//! token. A refresh token names its login and its generation: only the newest generation is good. A sliding token names
//! its login, and lives and ends with it.

mod imported;

pub(crate) use imported::IMPORTED_FROM;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use common::token::{ACCESS_TOKEN_TYPE, ACCESS_TYP, Audience, TOKEN_BYTES_MAX};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::sign;
use crate::keys::SigningKey;
use crate::keys::ring::{Ring, Signer};

/// Life of one refresh token, and of a sliding one with its refreshes. Source: SimpleJWT's default, which the old system kept.
const REFRESH_LIFE: TimeDelta = TimeDelta::days(1);
/// Life of a sliding token between two refreshes. Source: SimpleJWT's default.
const SLIDING_LIFE: TimeDelta = TimeDelta::minutes(5);
/// Life of a family of refresh tokens: then the password is asked for again.
pub(crate) const FAMILY_LIFE: TimeDelta = TimeDelta::days(14);
/// The `typ` of both. Source: SimpleJWT.
const JWT_TYP: &str = "JWT";
/// The `token_type` of a refresh token. Source: SimpleJWT.
const REFRESH: &str = "refresh";
/// The `token_type` of a sliding token. Source: SimpleJWT.
const SLIDING: &str = "sliding";

/// What a refresh token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RefreshClaims {
    token_type: String,
    exp: i64,
    pub(crate) iat: i64,
    pub(crate) jti: String,
    pub(crate) user_id: Uuid,
    /// The login that it descends from.
    pub(crate) family: Uuid,
    /// How many tokens of the family were before it; tokens that were issued before there were generations have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) generation: Option<i32>,
    iss: String,
    /// The key of another system that signed it.
    #[serde(default, skip_serializing)]
    pub(crate) imported_from: Option<String>,
}

/// Which refresh token.
pub(crate) struct Refresh {
    pub(crate) user_id: Uuid,
    pub(crate) family: Uuid,
    pub(crate) generation: i32,
    pub(crate) family_ends_at: DateTime<Utc>,
    /// A family's generation is issued at one moment, so that it is the same token however often it is made.
    pub(crate) issued_at: DateTime<Utc>,
}

/// A refresh token. It never outlives its family.
pub(crate) fn refresh(key: &SigningKey, refresh: &Refresh) -> String {
    let exp = (refresh.issued_at + REFRESH_LIFE).min(refresh.family_ends_at);
    let claims = RefreshClaims {
        token_type: REFRESH.to_owned(),
        exp: exp.timestamp(),
        iat: refresh.issued_at.timestamp(),
        jti: jti_of(refresh.family, refresh.generation),
        user_id: refresh.user_id,
        family: refresh.family,
        generation: Some(refresh.generation),
        iss: key.issuer.clone(),
        imported_from: None,
    };
    sign(key, JWT_TYP, &claims)
}

/// 32 hex digits, as SimpleJWT's. It need not be a secret: the signature is what nobody can make.
fn jti_of(family: Uuid, generation: i32) -> String {
    let digest = digest(&SHA256, format!("refresh {family} {generation}").as_bytes());
    let bytes = digest.as_ref().iter().take(16);
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

/// What a sliding token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SlidingClaims {
    token_type: String,
    exp: i64,
    iat: i64,
    jti: String,
    /// It is refreshed until this second, and not beyond.
    refresh_exp: i64,
    pub(crate) user_id: Uuid,
    /// The login that it is.
    pub(crate) sid: Uuid,
    iss: String,
}

/// The sliding token of a new login.
pub(crate) fn sliding(key: &SigningKey, user_id: Uuid, login: Uuid, now: DateTime<Utc>) -> String {
    let claims = SlidingClaims {
        token_type: SLIDING.to_owned(),
        exp: (now + SLIDING_LIFE).timestamp(),
        iat: now.timestamp(),
        jti: login.simple().to_string(),
        refresh_exp: (now + REFRESH_LIFE).timestamp(),
        user_id,
        sid: login,
        iss: key.issuer.clone(),
    };
    sign(key, JWT_TYP, &claims)
}

/// The same token for five minutes more.
pub(crate) fn slid(key: &SigningKey, token: &SlidingClaims, now: DateTime<Utc>) -> String {
    let claims = SlidingClaims {
        exp: (now + SLIDING_LIFE).timestamp().min(token.refresh_exp),
        iat: now.timestamp(),
        ..token.clone()
    };
    sign(key, JWT_TYP, &claims)
}

/// The rule that a token broke, in SimpleJWT's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    /// Not ours, or damaged.
    #[error("Token is invalid")]
    Invalid,
    #[error("Token is expired")]
    Expired,
    #[error("Token has no 'exp' claim")]
    NoExpiry,
    #[error("Token has no id")]
    NoId,
    #[error("Token has no type")]
    NoType,
    #[error("Token has wrong type")]
    WrongType,
    #[error("Token has no 'refresh_exp' claim")]
    NoRefreshExpiry,
    #[error("Token 'refresh_exp' claim has expired")]
    RefreshExpired,
    /// Used before, or its login is over.
    #[error("Token is blacklisted")]
    Blacklisted,
}

/// Judges the text of a refresh token, in the order in which SimpleJWT does.
///
/// # Errors
/// The first rule that it breaks.
pub(crate) fn read_refresh(
    token: &str,
    keys: &Ring,
    now: DateTime<Utc>,
) -> Result<RefreshClaims, Broken> {
    let claims = of_type(read(token, keys, now)?, &[REFRESH])?;
    serde_json::from_value(Value::Object(claims)).map_err(|_| Broken::Invalid)
}

/// Judges the text of a sliding token that is to be refreshed.
///
/// # Errors
/// The first rule that it breaks.
pub(crate) fn read_sliding(
    token: &str,
    keys: &Ring,
    now: DateTime<Utc>,
) -> Result<SlidingClaims, Broken> {
    let claims = of_type(read(token, keys, now)?, &[SLIDING])?;
    let refresh_exp = claims.get("refresh_exp").ok_or(Broken::NoRefreshExpiry)?;
    if now.timestamp() >= refresh_exp.as_i64().ok_or(Broken::Invalid)? {
        return Err(Broken::RefreshExpired);
    }
    serde_json::from_value(Value::Object(claims)).map_err(|_| Broken::Invalid)
}

/// Judges the text of a token that somebody calls with: an access token for HTTP, or a sliding one.
///
/// # Errors
/// The first rule that it breaks.
pub(crate) fn read_bearer(
    token: &str,
    keys: &Ring,
    now: DateTime<Utc>,
) -> Result<Map<String, Value>, Broken> {
    let claims = of_type(read(token, keys, now)?, &[ACCESS_TOKEN_TYPE, SLIDING])?;
    let for_the_log = Audience::Log.as_str();
    if claims.get("aud").is_some_and(|aud| aud == for_the_log) {
        return Err(Broken::Invalid);
    }
    Ok(claims)
}

/// The claims of a token of whatever type that has not expired.
///
/// # Errors
/// The first rule that it breaks.
pub(crate) fn read(
    token: &str,
    keys: &Ring,
    now: DateTime<Utc>,
) -> Result<Map<String, Value>, Broken> {
    let claims = read_signed(token, keys, now).ok_or(Broken::Invalid)?;
    let exp = claims.get("exp").ok_or(Broken::NoExpiry)?;
    if now.timestamp() >= exp.as_i64().ok_or(Broken::Invalid)? {
        return Err(Broken::Expired);
    }
    if !claims.contains_key("jti") {
        return Err(Broken::NoId);
    }
    Ok(claims)
}

fn of_type(claims: Map<String, Value>, types: &[&str]) -> Result<Map<String, Value>, Broken> {
    match claims.get("token_type") {
        None => Err(Broken::NoType),
        Some(Value::String(of)) if types.contains(&of.as_str()) => Ok(claims),
        Some(_) => Err(Broken::WrongType),
    }
}

/// The claims of any token that a key of ours signed, or one that was imported.
fn read_signed(token: &str, keys: &Ring, now: DateTime<Utc>) -> Option<Map<String, Value>> {
    /// Other header parameters than these three are refused, as `common::token` does.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Header {
        alg: String,
        typ: String,
        /// Ours always have it, SimpleJWT's never.
        #[serde(default)]
        kid: Option<String>,
    }
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
    let is_known = header.alg == "RS256" && (header.typ == JWT_TYP || header.typ == ACCESS_TYP);
    if !is_known {
        return None;
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    let signer = keys.signer(header.kid.as_deref(), signed.as_bytes(), &signature, now)?;
    let claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    match signer {
        Signer::Ours => Some(claims),
        Signer::Imported(kid) => imported::translated(claims, &kid),
    }
}
