//! Why an answer is not what was asked for.

use reqwest::StatusCode;
use serde_json::Value;

/// Why there is no answer that could be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing was heard. What was asked for may have been done or not.
    #[error("{service} does not answer")]
    Silent {
        /// The service and where it should be, for people.
        service: String,
        /// The cause.
        source: reqwest::Error,
    },
    /// The service said no.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The answer is in no form that this program knows.
    #[error("{service} answered something that can't be read: {cause}")]
    Unreadable {
        /// The service and where it is, for people.
        service: String,
        /// The cause.
        cause: String,
    },
    /// A service's address is none.
    #[error("{0} is no address of a service")]
    Address(String),
}

/// An answer that is a refusal.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.text())]
pub struct Refused {
    /// Its status.
    pub status: StatusCode,
    /// It is the answer to an earlier request, see [`crate::Done`].
    pub is_repeated: bool,
    /// RFC 9457's document, SimpleJWT's or OAuth's; `null` for anything else.
    pub body: Value,
}

impl Error {
    /// The refusal, if it is one.
    #[must_use]
    pub fn refused(&self) -> Option<&Refused> {
        match self {
            Self::Refused(refused) => Some(refused),
            Self::Silent { .. } | Self::Unreadable { .. } | Self::Address(_) => None,
        }
    }

    /// Whether something was done is unknown: there was no answer, or one that says that something does not answer.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.refused()
            .is_none_or(|refused| refused.status.is_server_error())
    }

    /// There is no such thing, or not for this caller.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.refused()
            .is_some_and(|refused| refused.status == StatusCode::NOT_FOUND)
    }
}

impl Refused {
    /// The code of the bank's reason, if the bank decided against it: `AM04`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.body["reason"]["code"].as_str()
    }

    /// The sentence that the service has for it.
    fn text(&self) -> String {
        let field = |name: &str| self.body[name].as_str();
        match (self.code(), field("detail").or(field("error_description"))) {
            (Some(code), Some(detail)) => format!("{code}: {detail}"),
            (None, Some(detail)) => detail.to_owned(),
            (_, None) => match field("error") {
                Some(error) => error.to_owned(),
                None if self.body.is_null() => self.status.to_string(),
                None => format!("{}: {}", self.status, self.body),
            },
        }
    }
}
