//! Answers as Django REST framework gives them: bodies, headers, and the words of refusals.

mod throttled;

use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

use crate::tokens::simplejwt::Broken;

const JSON: &str = "application/json";
/// The methods of an endpoint, as `Allow` says them.
const POST: &str = "POST, OPTIONS";
pub(super) const GET: &str = "GET, OPTIONS";

/// 200. It holds tokens, which no cache may keep.
pub(super) fn ok(body: &impl Serialize) -> Response {
    ok_allowing(POST, body)
}

/// The same of an endpoint with these methods.
pub(super) fn ok_allowing(methods: &'static str, body: &impl Serialize) -> Response {
    let body = serde_json::to_vec(body).expect("texts and maps of them are JSON");
    let mut response = answer(StatusCode::OK, methods, body);
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn answer(status: StatusCode, methods: &'static str, body: Vec<u8>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, JSON),
        (header::VARY, "Accept"),
        (header::ALLOW, methods),
    ];
    (status, headers, body).into_response()
}

/// An answer that is no success.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    methods: &'static str,
    body: Vec<u8>,
    /// When to come again, for 429 and 503.
    retry_seconds: u64,
}

#[derive(Serialize)]
struct Detail<'a> {
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("texts and maps of them are JSON");
        Self {
            status,
            methods: POST,
            body,
            retry_seconds: 1,
        }
    }

    /// The same of an endpoint with these methods.
    pub(super) fn allowing(self, methods: &'static str) -> Self {
        Self { methods, ..self }
    }

    /// 405.
    pub(super) fn method_not_allowed(method: &Method) -> Self {
        let text = format!("Method \"{method}\" not allowed.");
        Self::detail(StatusCode::METHOD_NOT_ALLOWED, &text)
    }

    /// 401 with a code.
    pub(super) fn unauthorized(detail: &str, code: &'static str) -> Self {
        let detail = Detail {
            detail,
            code: Some(code),
        };
        Self::unauthorized_with(&detail)
    }

    /// 401 with a body of its own.
    pub(super) fn unauthorized_with(body: &impl Serialize) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, body)
    }

    pub(super) fn detail(status: StatusCode, detail: &str) -> Self {
        Self::new(status, &Detail { detail, code: None })
    }

    pub(super) fn non_field(error: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            &json!({ "non_field_errors": [error] }),
        )
    }

    /// 401 about a person, who gets no code.
    pub(super) fn credentials(detail: &str) -> Self {
        Self::detail(StatusCode::UNAUTHORIZED, detail)
    }

    /// 503: starting, or the database is away.
    pub(super) fn unavailable() -> Self {
        let text = "Service temporarily unavailable, try again later.";
        Self::detail(StatusCode::SERVICE_UNAVAILABLE, text)
    }
}

impl From<Broken> for Refusal {
    fn from(error: Broken) -> Self {
        Self::unauthorized(&error.to_string(), "token_not_valid")
    }
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        tracing::error!(%error, "the database does not answer");
        Self::unavailable()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let more = match self.status {
            StatusCode::UNAUTHORIZED => {
                let challenge = HeaderValue::from_static("Bearer realm=\"api\"");
                Some((header::WWW_AUTHENTICATE, challenge))
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Some((header::RETRY_AFTER, self.retry_seconds.into()))
            }
            _ => None,
        };
        let mut response = answer(self.status, self.methods, self.body);
        if let Some((name, value)) = more {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
