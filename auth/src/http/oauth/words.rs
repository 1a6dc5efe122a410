//! What OAuth2's endpoints read and how they word what is wrong (RFC 6749 §5.2).

use std::collections::HashMap;

use axum::Json;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::http::simplejwt::words::{Body, form};
use crate::throttle::Refused;

/// Neither a token nor what was wrong with a request for one may be kept. Source: RFC 6749 §5.1.
pub(super) const NO_STORE: [(HeaderName, &str); 2] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::PRAGMA, "no-cache"),
];

/// The parameters; each may appear once. One without a value counts as absent (RFC 6749 §3.2).
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
) -> Result<HashMap<String, String>, Error> {
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

/// Why there is no token.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Error {
    InvalidRequest(&'static str),
    InvalidClient,
    InvalidScope,
    /// The token to be exchanged counts no more, or never did.
    InvalidGrant,
    /// No audience of ours. Source: RFC 8693 §2.2.2.
    InvalidTarget,
    UnsupportedGrantType,
    TooLarge,
    /// Too many wrong secrets: again after so many seconds.
    Throttled(u64),
    /// Starting, or the database is away.
    Unavailable,
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        tracing::error!(%error, "the database does not answer");
        Self::Unavailable
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::For { seconds } => Self::Throttled(seconds),
            Refused::Database(error) => error.into(),
        }
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
                "no active client has this id and this proof",
            ),
            Self::InvalidScope => (
                StatusCode::BAD_REQUEST,
                "invalid_scope",
                "the client may not have every scope that it asks for",
            ),
            Self::InvalidGrant => (
                StatusCode::BAD_REQUEST,
                "invalid_grant",
                "the token is not valid, or was revoked",
            ),
            Self::InvalidTarget => (
                StatusCode::BAD_REQUEST,
                "invalid_target",
                "the audience must be quittance (for HTTP) or quittance-log (for messages), and the client's",
            ),
            Self::UnsupportedGrantType => (
                StatusCode::BAD_REQUEST,
                "unsupported_grant_type",
                "grant_type must be client_credentials, or token-exchange for services of the bank",
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "invalid_request",
                "the body is too large",
            ),
            Self::Throttled(_) => (
                StatusCode::TOO_MANY_REQUESTS,
                "temporarily_unavailable",
                "too many wrong secrets, see Retry-After",
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
            Self::InvalidClient => Some((
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Basic realm=\"quittance\""),
            )),
            Self::Throttled(seconds) => Some((header::RETRY_AFTER, seconds.into())),
            Self::Unavailable => Some((header::RETRY_AFTER, HeaderValue::from_static("1"))),
            Self::InvalidRequest(_)
            | Self::InvalidScope
            | Self::InvalidGrant
            | Self::InvalidTarget
            | Self::UnsupportedGrantType
            | Self::TooLarge => None,
        };
        if let Some((name, value)) = more {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
