//! What went wrong, over HTTP: RFC 9457 problem documents.
//!
//! `type` is one of the catalogue (`kinds`), and the path of a page about it (`pages`).

pub mod kinds;
pub mod pages;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::error::DatabaseError;

use self::kinds::Kind;
use crate::reason::{Code, Reason};
use crate::token::TokenError;

/// A problem document (`application/problem+json`).
///
/// ```json
/// {"type":"/problems/invalid-amount","title":"Invalid Amount","status":422,"detail":"…","reason":{"code":"AM12","message":"…"}}
/// ```
#[derive(Debug, Serialize, JsonSchema)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: Kind,
    /// The same words for the same `type`.
    title: &'static str,
    /// The status of the answer.
    status: u16,
    /// What happened this time, for people; the wording may change.
    detail: String,
    #[serde(flatten)]
    more: Box<Map<String, Value>>,
    #[serde(skip)]
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem with a sentence that says to the caller what to do about it.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let kind = Kind::of_status(status).unwrap_or(Kind::InternalError);
        Self {
            kind,
            title: kind.title(),
            status: status.as_u16(),
            detail: detail.into(),
            more: Box::default(),
            headers: Vec::new(),
        }
    }

    /// Says more exactly what went wrong.
    #[must_use]
    pub fn of(self, kind: Kind) -> Self {
        debug_assert!(kind.statuses().contains(&self.status), "{kind:?}");
        let title = kind.title();
        Self {
            kind,
            title,
            ..self
        }
    }

    /// A rejection with its reason code.
    #[must_use]
    pub fn rejected(status: StatusCode, reason: &Reason) -> Self {
        let reason_json = serde_json::to_value(reason).expect("a code and a text are JSON");
        Self::new(status, reason.message.clone())
            .of(Kind::of_code(reason.code))
            .with("reason", reason_json)
    }

    /// The ledger's rejection: 403 for what the caller may not do, 409 for an id that is used up, otherwise 422.
    #[must_use]
    pub fn decided(reason: &Reason) -> Self {
        let status = match reason.code {
            Code::AG01 => StatusCode::FORBIDDEN,
            Code::AM05 => StatusCode::CONFLICT,
            Code::AC02
            | Code::AC03
            | Code::AC04
            | Code::AC06
            | Code::AM02
            | Code::AM03
            | Code::AM04
            | Code::AM12
            | Code::AM14
            | Code::FF01
            | Code::DT01
            | Code::NOOR
            | Code::NARR => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self::rejected(status, reason)
    }

    /// 401 with the challenge that RFC 6750 asks for.
    #[must_use]
    pub fn unauthorized(error: TokenError) -> Self {
        let challenge = match error {
            TokenError::Missing => "Bearer realm=\"quittance\"",
            _ => "Bearer realm=\"quittance\", error=\"invalid_token\"",
        };
        let detail = match error {
            // The words of a rejected request speak of the time at which it was published; nothing is published here.
            TokenError::Expired => {
                "expired_at_publish: the token has expired, get a new one".to_owned()
            }
            TokenError::NotYetValid => "not_yet_valid: the token is not valid yet".to_owned(),
            other => other.to_string(),
        };
        Self::new(StatusCode::UNAUTHORIZED, detail)
            .of(Kind::of_token(error))
            .with_header(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static(challenge),
            )
    }

    /// 403, naming the scope that would do.
    #[must_use]
    pub fn forbidden(needed: &str) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            format!("the token needs the scope {needed}"),
        )
        .of(Kind::ScopeMissing)
        .with_header(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static("Bearer realm=\"quittance\", error=\"insufficient_scope\""),
        )
    }

    /// 503: something we depend on does not answer. The cause goes to the log, not to the caller.
    pub fn unavailable(what: &str, cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "{what} does not answer");
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("{what} does not answer; the same request may be sent again"),
        )
        .with_header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Adds a member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a response header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).expect("made from a status code");
        let mut response = (status, Json(&self)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.extend(self.headers);
        response
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        // axum answers 422 for JSON of the wrong shape; to the caller it is as malformed as broken JSON is.
        let status = match rejection.status() {
            StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
            other => other,
        };
        Self::new(status, rejection.body_text())
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

/// PostgreSQL's `character_not_in_repertoire`.
const UNTRANSLATABLE_TEXT: &str = "22021";

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        // A text that the database can't hold is its sender's mistake.
        let code = error.as_database_error().and_then(DatabaseError::code);
        if code.is_some_and(|code| code == UNTRANSLATABLE_TEXT) {
            return Self::new(StatusCode::BAD_REQUEST, "a text holds a NUL character");
        }
        Self::unavailable("the database", &error)
    }
}
