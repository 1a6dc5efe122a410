//! `private_key_jwt`: a JWT that a program's key has signed, in the place of a secret (RFC 7523).
//!
//! Only RS256 passes, and the header says nothing else but `typ` and `kid`, which name nothing here: the account's keys are
//! tried. An assertion counts once.

use std::collections::HashMap;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use common::ids::{ClientId, is_storable};
use common::token::{LEEWAY_SECONDS, TOKEN_BYTES_MAX};
use serde::Deserialize;

use super::words::Error;
use crate::app::Auth;
use crate::store;

/// The only `client_assertion_type`.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Longest life of an assertion, in seconds: used ones are kept so long.
const LIFE_SECONDS_MAX: i64 = 300;

/// An assertion, not judged yet.
pub(super) struct Assertion {
    /// Who is said to have signed it.
    pub(super) client_id: ClientId,
    claims: Claims,
    signed: String,
    signature: Vec<u8>,
}

/// Parameters that name no key are the only ones.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    #[serde(default)]
    typ: Option<String>,
    #[serde(default)]
    #[expect(dead_code, reason = "it may be there and names nothing")]
    kid: Option<String>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Aud,
    exp: i64,
    jti: String,
    #[serde(default)]
    iat: Option<i64>,
    #[serde(default)]
    nbf: Option<i64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Aud {
    One(String),
    Several(Vec<String>),
}

/// The assertion of a request, if it has one. No second proof may stand beside it.
pub(super) fn read(
    headers: &HeaderMap,
    parameters: &HashMap<String, String>,
) -> Result<Option<Assertion>, Error> {
    let Some(text) = parameters.get("client_assertion") else {
        return match parameters.get("client_assertion_type") {
            None => Ok(None),
            Some(_) => Err(Error::InvalidRequest("client_assertion is missing")),
        };
    };
    if headers.contains_key(header::AUTHORIZATION) || parameters.contains_key("client_secret") {
        return Err(Error::InvalidRequest(
            "client_assertion and another proof appear together",
        ));
    }
    match parameters.get("client_assertion_type") {
        Some(kind) if kind == ASSERTION_TYPE => {}
        Some(_) | None => {
            return Err(Error::InvalidRequest(
                "client_assertion_type must be urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ));
        }
    }
    let assertion = parse(text).ok_or(Error::InvalidClient)?;
    let named = parameters.get("client_id");
    if named.is_some_and(|named| *named != assertion.claims.sub) {
        return Err(Error::InvalidRequest(
            "client_id is not the one that authenticates",
        ));
    }
    Ok(Some(assertion))
}

fn parse(text: &str) -> Option<Assertion> {
    if text.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let (signed, signature) = text.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let object = |part: &str| {
        let json = URL_SAFE_NO_PAD.decode(part).ok()?;
        // serde also fills a struct from a list of its values.
        (json.trim_ascii_start().first() == Some(&b'{')).then_some(json)
    };
    let header: Header = serde_json::from_slice(&object(header)?).ok()?;
    let is_jwt = header.typ.is_none_or(|typ| {
        typ.eq_ignore_ascii_case("JWT") || typ.eq_ignore_ascii_case("client-authentication+jwt")
    });
    if header.alg != "RS256" || !is_jwt {
        return None;
    }
    let claims: Claims = serde_json::from_slice(&object(claims)?).ok()?;
    if claims.iss != claims.sub || claims.jti.is_empty() || !is_storable(&claims.jti) {
        return None;
    }
    Some(Assertion {
        client_id: claims.sub.parse().ok()?,
        claims,
        signed: signed.to_owned(),
        signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
    })
}

impl Assertion {
    /// Whether the private half of this key has signed it.
    pub(super) fn is_signed_with(&self, n: &str, e: &str) -> bool {
        let (Ok(n), Ok(e)) = (URL_SAFE_NO_PAD.decode(n), URL_SAFE_NO_PAD.decode(e)) else {
            return false;
        };
        RsaPublicKeyComponents { n, e }
            .verify(
                &RSA_PKCS1_2048_8192_SHA256,
                self.signed.as_bytes(),
                &self.signature,
            )
            .is_ok()
    }

    /// Whether it is for us, and now.
    pub(super) fn is_good(&self, issuer: &str, now: DateTime<Utc>) -> bool {
        let (claims, now) = (&self.claims, now.timestamp());
        let endpoint = token_endpoint(issuer);
        let is_ours = |aud: &String| *aud == issuer || *aud == endpoint;
        let is_for_us = match &claims.aud {
            Aud::One(aud) => is_ours(aud),
            Aud::Several(auds) => !auds.is_empty() && auds.iter().all(is_ours),
        };
        // Clocks differ a little; what has expired has expired.
        let latest = now.saturating_add(LEEWAY_SECONDS);
        let lives = claims
            .iat
            .is_none_or(|iat| iat <= latest && claims.exp.saturating_sub(iat) <= LIFE_SECONDS_MAX);
        is_for_us
            && lives
            && claims.exp > now
            && claims.exp <= latest + LIFE_SECONDS_MAX
            && claims.nbf.is_none_or(|nbf| nbf <= latest)
    }

    /// Uses it up.
    ///
    /// # Errors
    /// [`Error::InvalidClient`] when it was used before.
    pub(super) async fn spend(&self, auth: &Auth, now: DateTime<Utc>) -> Result<(), Error> {
        // Servers whose clocks differ forget it after all of them refuse it.
        let kept = self.claims.exp + 2 * LEEWAY_SECONDS;
        let kept = DateTime::from_timestamp(kept, 0).unwrap_or(now + TimeDelta::minutes(10));
        let (id, jti) = (self.client_id.as_str(), &self.claims.jti);
        store::clients::assertions::prune(&auth.pool, now).await?;
        if store::clients::assertions::spend(&auth.pool, id, jti, kept).await? {
            Ok(())
        } else {
            Err(Error::InvalidClient)
        }
    }
}

/// Where tokens are asked for, as the metadata document says it.
pub(in crate::http) fn token_endpoint(issuer: &str) -> String {
    format!("{}/oauth2/token", issuer.trim_end_matches('/'))
}
