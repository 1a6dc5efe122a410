//! A page that says what went wrong, in the words of the problem document.

use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use crate::page::{Frame, render};
use crate::prefix::Prefix;

/// Why there is no page, or another one.
pub(crate) enum Failure {
    /// Nobody is signed in.
    SignIn {
        /// Where to go then.
        next: String,
    },
    /// A stream that is none, and why; its page says so.
    NotLive(StatusCode),
    /// Something is wrong.
    Told {
        /// The answer's status.
        status: StatusCode,
        /// What is wrong.
        detail: String,
        /// Under which path we are seen.
        prefix: Prefix,
    },
}

impl Failure {
    /// What a service said, or that it said nothing.
    pub(crate) fn of(error: client::Error, prefix: &Prefix) -> Self {
        let status = match &error {
            client::Error::Refused(refused) => refused.status,
            client::Error::Silent { .. } => StatusCode::SERVICE_UNAVAILABLE,
            client::Error::Unreadable { .. } | client::Error::Address(_) => StatusCode::BAD_GATEWAY,
        };
        if let client::Error::Silent { .. } | client::Error::Unreadable { .. } = &error {
            tracing::warn!(%error, "a page can't be made");
        }
        Self::told(status, error.to_string(), prefix)
    }

    pub(crate) fn bad_request(detail: impl Into<String>, prefix: &Prefix) -> Self {
        Self::told(StatusCode::BAD_REQUEST, detail, prefix)
    }

    pub(crate) fn forbidden(detail: impl Into<String>, prefix: &Prefix) -> Self {
        Self::told(StatusCode::FORBIDDEN, detail, prefix)
    }

    pub(crate) fn not_found(detail: impl Into<String>, prefix: &Prefix) -> Self {
        Self::told(StatusCode::NOT_FOUND, detail, prefix)
    }

    fn told(status: StatusCode, detail: impl Into<String>, prefix: &Prefix) -> Self {
        Self::Told {
            status,
            detail: detail.into(),
            prefix: prefix.clone(),
        }
    }
}

#[derive(Template)]
#[template(path = "failure.html")]
struct FailurePage {
    frame: Frame,
    status: u16,
    detail: String,
    /// What a person can do about it.
    advice: &'static str,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::SignIn { next } => {
                let is_start = next.len() <= 1;
                let query = serde_urlencoded::to_string([("next", next)]).unwrap_or_default();
                let query = if is_start {
                    String::new()
                } else {
                    format!("?{query}")
                };
                see_other(&format!("/sign-in{query}"))
            }
            // By its type, htmx takes it for a stream that has ended, and not for what shall stand in the page.
            Self::NotLive(status) => {
                let kind = (header::CONTENT_TYPE, "text/event-stream");
                (status, [kind, (header::RETRY_AFTER, "30")]).into_response()
            }
            Self::Told {
                status,
                detail,
                prefix,
            } => {
                let title = status.canonical_reason().unwrap_or("Error");
                let advice = match status.as_u16() {
                    400 => "Go back and change what was typed.",
                    401 => "Sign in again.",
                    403 => "Somebody with another role may do this.",
                    404 => "Search for it with the field above: any id will do.",
                    409 => "Look at what is there under this id before trying again.",
                    429 => "Wait a moment.",
                    500.. => "Load the page again; Services shows which part is down.",
                    _ => "",
                };
                let page = FailurePage {
                    frame: Frame::of_nobody(title, prefix),
                    status: status.as_u16(),
                    detail,
                    advice,
                };
                (status, Html(render(&page))).into_response()
            }
        }
    }
}

/// 303: the browser asks for this page next.
pub(crate) fn see_other(address: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, address)]).into_response()
}
