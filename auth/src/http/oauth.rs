//! `POST /oauth2/token`: a program's id and secret in, an access token out (RFC 6749 §4.4, errors of §5.2).
//!
//! Client credentials only, and no refresh token with them: the secret is at hand anyway. The password grant is not
//! offered (RFC 9700 §2.4); people log in at `/api/token/`.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::ids::ClientId;
use common::service;
use serde::Serialize;

use super::drf::{Body, form};
use crate::directory::secret_hash;
use crate::tokens::{self, ACCESS_SECONDS, Subject};
use crate::{Auth, store};

/// Neither a token nor what was wrong with a request for one may be kept. Source: RFC 6749 §5.1.
const NO_STORE: [(HeaderName, &str); 2] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::PRAGMA, "no-cache"),
];

#[derive(Serialize)]
struct Granted {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    scope: String,
}

/// Hands out a token.
pub(super) async fn token(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Error> {
    let parameters = read(&headers, body).await?;
    match parameters.get("grant_type").map(String::as_str) {
        None => return Err(Error::InvalidRequest("grant_type is missing")),
        Some("client_credentials") => {}
        Some(_) => return Err(Error::UnsupportedGrantType),
    }
    let credentials = credentials(&headers, &parameters)?;
    if !*auth.ready.borrow() {
        return Err(Error::Unavailable);
    }
    let account = store::service_account(&auth.pool, credentials.client_id.as_str()).await?;
    // For an unknown client, zeros are compared: that takes as long.
    let kept = account
        .as_ref()
        .map_or([0; 32].as_slice(), |account| &account.secret_hash);
    let is_secret = |secret: &str| verify_slices_are_equal(kept, &secret_hash(secret)).is_ok();
    // Both, so that it takes as long whichever it is.
    let (as_sent, as_form) = (
        is_secret(&credentials.secret),
        is_secret(&credentials.decoded_secret),
    );
    let is_right = as_sent || as_form;
    let Some(account) = account.filter(|account| is_right && account.is_active) else {
        return Err(Error::InvalidClient);
    };
    let scopes = granted(&account.scopes, parameters.get("scope"))?;
    let subject = Subject::client(credentials.client_id, scopes.clone());
    let granted = Granted {
        access_token: tokens::access(&auth.key, subject, service::now()),
        token_type: "Bearer",
        expires_in: ACCESS_SECONDS,
        scope: scopes,
    };
    Ok((NO_STORE, Json(granted)).into_response())
}

/// The parameters; each may appear once. One without a value counts as absent (RFC 6749 §3.2).
async fn read(headers: &HeaderMap, body: Body) -> Result<HashMap<String, String>, Error> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Error::TooLarge,
        _ => Error::InvalidRequest("the body can't be read"),
    })?;
    let is_form = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|value| {
            value
                .trim()
                .eq_ignore_ascii_case("application/x-www-form-urlencoded")
        });
    if !is_form {
        return Err(Error::InvalidRequest(
            "the body must be application/x-www-form-urlencoded",
        ));
    }
    let pairs = form(body)
        .await
        .ok_or(Error::InvalidRequest("the body is no form"))?;
    let mut parameters = HashMap::new();
    for (name, value) in pairs {
        if parameters.insert(name, value).is_some() {
            return Err(Error::InvalidRequest("a parameter stands there twice"));
        }
    }
    parameters.retain(|_, value| !value.is_empty());
    Ok(parameters)
}

struct Credentials {
    client_id: ClientId,
    /// As it came.
    secret: String,
    /// As it is when it came form-encoded, which RFC 6749 §2.3.1 asks for in a header and hardly any client does.
    decoded_secret: String,
}

/// From the header or from the body, never both.
fn credentials(
    headers: &HeaderMap,
    parameters: &HashMap<String, String>,
) -> Result<Credentials, Error> {
    let in_body = (parameters.get("client_id"), parameters.get("client_secret"));
    let mut in_header = headers.get_all(header::AUTHORIZATION).iter();
    let (client_id, secret) = match (in_header.next(), in_body) {
        (Some(value), (client_id, None)) => {
            if in_header.next().is_some() {
                return Err(Error::InvalidRequest(
                    "the Authorization header stands there twice",
                ));
            }
            let (id, secret) = value
                .to_str()
                .ok()
                .and_then(basic)
                .ok_or(Error::InvalidClient)?;
            if client_id.is_some_and(|client_id| *client_id != id) {
                return Err(Error::InvalidRequest(
                    "client_id is not the one that authenticates",
                ));
            }
            (id, secret)
        }
        (Some(_), (_, Some(_))) => {
            return Err(Error::InvalidRequest(
                "credentials stand in the header and in the body",
            ));
        }
        (None, (Some(client_id), Some(secret))) => (client_id.clone(), secret.clone()),
        (None, _) => return Err(Error::InvalidClient),
    };
    let client_id = client_id.parse().map_err(|_| Error::InvalidClient)?;
    let decoded_secret = form_decoded(&secret).unwrap_or_else(|| secret.clone());
    Ok(Credentials {
        client_id,
        secret,
        decoded_secret,
    })
}

/// One form-encoded value; `None` when it is not one.
fn form_decoded(text: &str) -> Option<String> {
    let pair: Vec<(String, String)> = serde_urlencoded::from_str(&format!("v={text}")).ok()?;
    let [(_, value)] = <[_; 1]>::try_from(pair).ok()?;
    Some(value)
}

/// Id and secret of a `Basic` header.
fn basic(value: &str) -> Option<(String, String)> {
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

/// What is asked for, if it is all within `allowed`; everything when nothing is asked for.
fn granted(allowed: &str, asked: Option<&String>) -> Result<String, Error> {
    let allowed: Vec<_> = allowed.split_ascii_whitespace().collect();
    let Some(asked) = asked else {
        return Ok(allowed.join(" "));
    };
    let mut scopes = Vec::new();
    for scope in asked.split(' ').filter(|scope| !scope.is_empty()) {
        if !allowed.contains(&scope) {
            return Err(Error::InvalidScope);
        }
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    if scopes.is_empty() {
        return Err(Error::InvalidScope);
    }
    Ok(scopes.join(" "))
}

/// Why there is no token.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Error {
    InvalidRequest(&'static str),
    InvalidClient,
    InvalidScope,
    UnsupportedGrantType,
    TooLarge,
    /// Starting, or the database is away.
    Unavailable,
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        tracing::error!(%error, "the database does not answer");
        Self::Unavailable
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Answer {
            error: &'static str,
            error_description: &'static str,
        }
        let (status, error, error_description) = match self {
            Self::InvalidRequest(what) => (StatusCode::BAD_REQUEST, "invalid_request", what),
            Self::InvalidClient => (
                StatusCode::UNAUTHORIZED,
                "invalid_client",
                "no active client has this id and this secret",
            ),
            Self::InvalidScope => (
                StatusCode::BAD_REQUEST,
                "invalid_scope",
                "the client may not have every scope that it asks for",
            ),
            Self::UnsupportedGrantType => (
                StatusCode::BAD_REQUEST,
                "unsupported_grant_type",
                "grant_type must be client_credentials",
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "invalid_request",
                "the body is too large",
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                "the same request may be sent again",
            ),
        };
        let answer = Answer {
            error,
            error_description,
        };
        let mut response = (status, NO_STORE, Json(answer)).into_response();
        let more = match self {
            Self::InvalidClient => Some((header::WWW_AUTHENTICATE, "Basic realm=\"quittance\"")),
            Self::Unavailable => Some((header::RETRY_AFTER, "1")),
            Self::InvalidRequest(_)
            | Self::InvalidScope
            | Self::UnsupportedGrantType
            | Self::TooLarge => None,
        };
        if let Some((name, value)) = more {
            response
                .headers_mut()
                .insert(name, header::HeaderValue::from_static(value));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_no_more_than_it_may_have() {
        let allowed = "payments:read accounts:read";
        for (asked, expected) in [
            (None, Ok(allowed)),
            (Some("accounts:read"), Ok("accounts:read")),
            (Some("accounts:read  accounts:read"), Ok("accounts:read")),
            (
                Some("accounts:read payments:read"),
                Ok("accounts:read payments:read"),
            ),
            (Some("accounts:read auth:admin"), Err(Error::InvalidScope)),
            (Some("accounts"), Err(Error::InvalidScope)),
            (Some(" "), Err(Error::InvalidScope)),
        ] {
            let asked = asked.map(str::to_owned);
            assert_eq!(
                granted(allowed, asked.as_ref()),
                expected.map(str::to_owned),
                "{asked:?}"
            );
        }
    }
}
