//! Tokens: who it is for and how long in, signed text out.
//!
//! Access tokens are exactly what `common::token` verifies. What SimpleJWT has besides is in [`simplejwt`].

pub(crate) mod simplejwt;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use common::ids::{AccountId, ClientId};
use common::token::{
    ACCESS_TOKEN_TYPE, ACCESS_TYP, Actor, Audience, Claims, Header, LEEWAY_SECONDS, new_jti,
};
use serde::Serialize;
use uuid::Uuid;

use crate::keys::SigningKey;
use crate::store::people::User;

/// Life of an access token, in seconds: all that a verifier allows.
pub(crate) const ACCESS_SECONDS: i64 = common::token::LIFETIME_SECONDS_MAX;

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
    /// The longest life, of a token that a revocation up to a second before does not concern: it may be issued a second
    /// ahead.
    pub(crate) fn behind(revoked_until: i64, audience: Audience, now: DateTime<Utc>) -> Self {
        let issued_at = now.timestamp().max(revoked_until.saturating_add(1));
        Self {
            audience,
            issued_at,
            expires_at: issued_at + ACCESS_SECONDS,
        }
    }

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

/// The access token of a person's login, and when the login ends.
pub(crate) fn of_session(
    key: &SigningKey,
    user: &User,
    (session, ends_at): (Uuid, DateTime<Utc>),
    now: DateTime<Utc>,
) -> String {
    let subject = Subject::user(user.id, session, user.scopes.clone());
    let terms = Terms::behind(user.tokens_valid_after, Audience::Http, now);
    // It does not outlive its login. One that is over has no tokens, so a second is left.
    let expires_at = terms.expires_at.min(ends_at.timestamp());
    let terms = Terms {
        expires_at: expires_at.max(terms.issued_at + 1),
        ..terms
    };
    access(key, subject, terms)
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

pub(crate) fn sign(key: &SigningKey, typ: &str, claims: &impl Serialize) -> String {
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

#[cfg(test)]
mod tests;
