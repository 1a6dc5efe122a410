//! Tokens: claims in, signed text out, and a refresh token's text in, its claims or the broken rule out.
//!
//! Access tokens are exactly what `common::token` verifies. Refresh tokens are JWTs too, so that clients of SimpleJWT
//! are at home, but of another `typ` and without an audience: no service takes one for an access token.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use common::ids::{AccountId, ClientId};
use common::token::{
    ACCESS_TOKEN_TYPE, ACCESS_TYP, Actor, Audience, Claims, Header, LEEWAY_SECONDS,
    TOKEN_BYTES_MAX, new_jti,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::keys::{Ring, SigningKey};

/// Life of an access token, in seconds: all that a verifier allows.
pub(crate) const ACCESS_SECONDS: i64 = common::token::LIFETIME_SECONDS_MAX;
/// Life of one refresh token. Source: SimpleJWT's default, which the old system kept.
const REFRESH_LIFE: TimeDelta = TimeDelta::days(1);
/// Life of a family of refresh tokens: then the password is asked for again.
pub(crate) const FAMILY_LIFE: TimeDelta = TimeDelta::days(14);
/// The `typ` of a refresh token. Source: SimpleJWT.
const REFRESH_TYP: &str = "JWT";
/// The `token_type` of a refresh token. Source: SimpleJWT.
const REFRESH_TOKEN_TYPE: &str = "refresh";

/// Who a token is for.
#[derive(Debug)]
pub struct Subject {
    /// A person's id or a service account's.
    pub(crate) sub: String,
    pub(crate) client_id: ClientId,
    pub(crate) scopes: String,
    /// The login that it descends from.
    pub(crate) sid: Option<Uuid>,
    /// What a service account may do at most.
    pub(crate) limits: Limits,
    /// Who acts for `sub`.
    pub(crate) actor: Option<String>,
}

/// What the ledger lets a token do at most, besides its scopes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// The most that one payment may move, by currency.
    pub payment_max: Option<BTreeMap<String, String>>,
    /// The only accounts that may be debited.
    pub accounts: Option<Vec<AccountId>>,
}

impl Subject {
    /// Somebody who logged in, and the login.
    pub(crate) fn user(id: Uuid, sid: Uuid, scopes: String) -> Self {
        Self {
            sub: id.to_string(),
            client_id: ClientId::of_user(id),
            scopes,
            sid: Some(sid),
            limits: Limits::default(),
            actor: None,
        }
    }

    /// A program, with its scopes in one text, a space between two.
    #[must_use]
    pub fn client(client_id: ClientId, scopes: String) -> Self {
        Self {
            sub: client_id.to_string(),
            client_id,
            scopes,
            sid: None,
            limits: Limits::default(),
            actor: None,
        }
    }
}

/// How long an access token lives, and where it passes.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Where it passes.
    pub audience: Audience,
    /// From this second since 1970 on.
    pub issued_at: i64,
    /// Until this second since 1970; at most [`ACCESS_SECONDS`] later.
    pub expires_at: i64,
}

impl Terms {
    /// As long as an access token may live.
    #[must_use]
    pub fn longest(audience: Audience, now: DateTime<Utc>) -> Self {
        let issued_at = now.timestamp();
        Self {
            audience,
            issued_at,
            expires_at: issued_at + ACCESS_SECONDS,
        }
    }
}

/// An access token: a signed JWT.
#[must_use]
pub fn access(key: &SigningKey, subject: Subject, terms: Terms) -> String {
    let claims = Claims {
        iss: key.issuer.clone(),
        user_id: subject.sub.clone(),
        sub: subject.sub,
        aud: terms.audience.as_str().to_owned(),
        client_id: subject.client_id,
        scope: subject.scopes,
        iat: terms.issued_at,
        // The clock of the broker, by which it is judged, may run behind ours.
        nbf: terms.issued_at - LEEWAY_SECONDS,
        exp: terms.expires_at,
        jti: new_jti(),
        token_type: ACCESS_TOKEN_TYPE.to_owned(),
        sid: subject.sid.map(|sid| sid.to_string()),
        act: subject.actor.map(|sub| Actor { sub }),
        payment_max: subject.limits.payment_max,
        accounts: subject.limits.accounts,
    };
    sign_access(key, &claims)
}

/// What a token for HTTP says when it is exchanged for one for the log: the same, but for where it passes.
pub(crate) fn for_the_log(claims: &Claims) -> Claims {
    Claims {
        aud: Audience::Log.as_str().to_owned(),
        ..claims.clone()
    }
}

/// The token of these claims.
pub(crate) fn sign_access(key: &SigningKey, claims: &Claims) -> String {
    sign(key, ACCESS_TYP, claims)
}

/// What a refresh token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RefreshClaims {
    pub(crate) token_type: String,
    pub(crate) exp: i64,
    pub(crate) iat: i64,
    pub(crate) jti: String,
    pub(crate) user_id: Uuid,
    /// The login that it descends from.
    pub(crate) family: Uuid,
    pub(crate) iss: String,
}

/// Which refresh token.
pub(crate) struct Refresh<'a> {
    pub(crate) jti: &'a str,
    pub(crate) user_id: Uuid,
    pub(crate) family: Uuid,
    pub(crate) family_ends_at: DateTime<Utc>,
}

/// A refresh token. It never outlives its family.
pub(crate) fn refresh(key: &SigningKey, refresh: &Refresh<'_>, now: DateTime<Utc>) -> String {
    let claims = RefreshClaims {
        token_type: REFRESH_TOKEN_TYPE.to_owned(),
        exp: (now + REFRESH_LIFE).min(refresh.family_ends_at).timestamp(),
        iat: now.timestamp(),
        jti: refresh.jti.to_owned(),
        user_id: refresh.user_id,
        family: refresh.family,
        iss: key.issuer.clone(),
    };
    sign(key, REFRESH_TYP, &claims)
}

fn sign(key: &SigningKey, typ: &str, claims: &impl Serialize) -> String {
    let header = Header {
        alg: "RS256".to_owned(),
        typ: typ.to_owned(),
        kid: key.kid.clone(),
    };
    let part = |json: Result<Vec<u8>, serde_json::Error>| {
        URL_SAFE_NO_PAD.encode(json.expect("texts and numbers are JSON"))
    };
    let mut token = part(serde_json::to_vec(&header)) + "." + &part(serde_json::to_vec(claims));
    let signature = key.sign(token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    token
}

/// The rule that a refresh token broke, in SimpleJWT's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RefreshError {
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
    /// Used before, or its family is over.
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
) -> Result<RefreshClaims, RefreshError> {
    let claims = read_signed(token, keys).ok_or(RefreshError::Invalid)?;
    match claims.get("exp") {
        None => return Err(RefreshError::NoExpiry),
        Some(exp) => {
            let exp = exp.as_i64().ok_or(RefreshError::Invalid)?;
            if now.timestamp() >= exp {
                return Err(RefreshError::Expired);
            }
        }
    }
    if !claims.contains_key("jti") {
        return Err(RefreshError::NoId);
    }
    match claims.get("token_type") {
        None => return Err(RefreshError::NoType),
        Some(of) if of == REFRESH_TOKEN_TYPE => {}
        Some(_) => return Err(RefreshError::WrongType),
    }
    serde_json::from_value(Value::Object(claims)).map_err(|_| RefreshError::Invalid)
}

/// The claims of any token that a key of ours signed.
fn read_signed(token: &str, keys: &Ring) -> Option<Map<String, Value>> {
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    // Other header parameters than these three are refused, as `common::token` does.
    let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
    let is_ours = header.alg == "RS256" && (header.typ == REFRESH_TYP || header.typ == ACCESS_TYP);
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    if !is_ours || !keys.has_signed(&header.kid, signed.as_bytes(), &signature) {
        return None;
    }
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
}

#[cfg(test)]
mod tests;
