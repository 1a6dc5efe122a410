//! The grant `token-exchange` (RFC 8693): a caller's token for HTTP in, one for the log out.
//!
//! payments and the ledger exchange what their callers send, and nobody else may: whoever holds a token for the log may
//! write into it. What comes out is the same token but for its audience: the same person or program, scopes, limits, times
//! and id, so that it ends with the one it stands for and every revocation of that one is its own.

use std::collections::HashMap;

use axum::Json;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use common::http::exchange::ACCESS_TOKEN_TYPE;
use common::service;
use common::token::{Audience, Policy};
use serde::Serialize;

use super::caller::own_service;
use super::words::{Error, NO_STORE};
use crate::app::Auth;
use crate::keys::SigningKey;
use crate::tokens;

/// The answer to an exchange. Source: RFC 8693 §2.2.1.
#[derive(Serialize)]
struct Exchanged {
    access_token: String,
    issued_token_type: &'static str,
    token_type: &'static str,
    expires_in: i64,
    scope: String,
}

/// Hands out a token for the log.
pub(super) async fn grant(
    auth: &Auth,
    key: &SigningKey,
    headers: &HeaderMap,
    parameters: &HashMap<String, String>,
) -> Result<Response, Error> {
    own_service(auth, headers, parameters).await?;
    let parameter = |name: &str| parameters.get(name).map(String::as_str);
    if parameter("subject_token_type") != Some(ACCESS_TOKEN_TYPE) {
        return Err(Error::InvalidRequest(
            "subject_token_type must be that of an access token",
        ));
    }
    if parameter("audience") != Some(Audience::Log.as_str()) {
        return Err(Error::InvalidTarget);
    }
    let token =
        parameter("subject_token").ok_or(Error::InvalidRequest("subject_token is missing"))?;
    let verified = auth
        .callers
        .verify_with_new_keys(token, &[Policy::HTTP])
        .await;
    let verified = verified.map_err(|_| Error::Unavailable)?;
    let verified = verified.map_err(|_| Error::InvalidGrant)?;
    if !auth.still_counts(&verified.claims).await? {
        return Err(Error::InvalidGrant);
    }
    let claims = tokens::for_the_log(&verified.claims);
    let token = tokens::sign_access(key, &claims);
    let expires_in = claims.exp - service::now().timestamp();
    Ok(exchanged(token, expires_in, claims.scope))
}

/// What came of an exchange: an access token that lives for so many seconds.
pub(super) fn exchanged(access_token: String, expires_in: i64, scope: String) -> Response {
    let exchanged = Exchanged {
        access_token,
        issued_token_type: ACCESS_TOKEN_TYPE,
        token_type: "Bearer",
        expires_in,
        scope,
    };
    (NO_STORE, Json(exchanged)).into_response()
}
