//! The catalogue of problems: every `type` that a problem document may have, with what happened and what to do.
//!
//! A `type` is `/problems/<name>` and never changes once it was sent. Every service shows the page of each (`pages`).

use std::borrow::Cow;

use axum::http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use crate::reason::Code;
use crate::token::TokenError;

/// What stands before a name.
pub const PREFIX: &str = "/problems/";

macro_rules! kinds {
    ($($kind:ident $name:literal $statuses:expr, $title:literal, $happened:literal, $remedy:literal;)*) => {
        /// What went wrong, for programs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind {
            $(#[doc = $happened] $kind),*
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// The `type` on the wire.
            #[must_use]
            pub fn uri(self) -> &'static str {
                match self { $(Self::$kind => concat!("/problems/", $name)),* }
            }

            /// With which statuses it is sent.
            #[must_use]
            pub fn statuses(self) -> &'static [u16] {
                match self { $(Self::$kind => &$statuses),* }
            }

            /// The same words whatever happened exactly; `detail` says more.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$kind => $title),* }
            }

            /// What happened.
            #[must_use]
            pub fn happened(self) -> &'static str {
                match self { $(Self::$kind => $happened),* }
            }

            /// What the caller can do about it.
            #[must_use]
            pub fn remedy(self) -> &'static str {
                match self { $(Self::$kind => $remedy),* }
            }
        }
    };
}

kinds! {
    BadRequest "bad-request" [400], "Bad Request",
        "The request can't be read: its path, query, headers or body have the wrong form.",
        "Read `detail`, which names the place, and compare the request with this service's description at /docs. Sending it again as it is never helps.";
    TokenMissing "token-missing" [401], "Token Missing",
        "The request carries no access token.",
        "Get one from auth (POST /api/token/ for people, POST /oauth2/token for programs) and send it as `Authorization: Bearer <token>`.";
    TokenInvalid "token-invalid" [401], "Token Invalid",
        "The access token is no token of this bank, is for another audience, or is malformed.",
        "Send the access token as auth returned it. A refresh token, and a token for messages (audience quittance-log), do not pass over HTTP.";
    TokenExpired "token-expired" [401], "Token Expired",
        "The access token's time is over.",
        "Get a new one: people with their refresh token, programs with their credentials. Then send the request again.";
    TokenRevoked "token-revoked" [401], "Token Revoked",
        "The token counts no more: its owner logged out or was locked out, or its credential or key was revoked.",
        "Log in again. If that fails, ask an administrator.";
    Forbidden "forbidden" [403], "Forbidden",
        "The caller is known and may not do this.",
        "Read `detail`. Another caller, or another proof such as the current password, may be needed.";
    ScopeMissing "scope-missing" [403], "Scope Missing",
        "The token has none of the scopes that this operation needs.",
        "`detail` names the scopes that would do. Ask for one of them with the token, or ask an administrator for it.";
    NotFound "not-found" [404], "Not Found",
        "There is nothing of this name that the caller may see. What belongs to others is answered the same way.",
        "Check the id and whose it is. Paths of this service are listed at /docs.";
    MethodNotAllowed "method-not-allowed" [405], "Method Not Allowed",
        "The path exists and has no such method.",
        "Use a method that /docs lists for this path.";
    RequestTimeout "request-timeout" [408], "Request Timeout",
        "The body did not arrive in time.",
        "Send it again, in one go. With the same payment_id a payment is never paid twice.";
    Conflict "conflict" [409], "Conflict",
        "The request does not fit what is there: something exists already, is the last one, or is in another state.",
        "Read `detail`, look at what is there, and decide again.";
    ContentTooLarge "content-too-large" [413], "Content Too Large",
        "The body is longer than this operation takes.",
        "Send less at a time; `detail` names the limit.";
    UnsupportedMediaType "unsupported-media-type" [415], "Unsupported Media Type",
        "The body's content type or content encoding is none that this operation reads.",
        "Send JSON with `Content-Type: application/json` and without a content encoding.";
    Unprocessable "unprocessable" [422], "Unprocessable Content",
        "The request can be read, but a value in it breaks a rule.",
        "`detail` names the rule. Change the value and send it again.";
    TooManyRequests "too-many-requests" [429], "Too Many Requests",
        "The caller sends more, or tried more often, than is allowed at this time.",
        "Wait for as many seconds as `Retry-After` says, then send it again.";
    InternalError "internal-error" [500], "Internal Server Error",
        "The service made a mistake.",
        "Send the same request again; with the same payment_id nothing is paid twice. If it stays, tell the bank when it happened.";
    Unavailable "unavailable" [503], "Service Unavailable",
        "Something that the service needs does not answer: the broker, the database or another service.",
        "Send the same request again after `Retry-After` seconds. What was stored before is found by its payment_id or account_id.";
    NotReady "not-ready" [503], "Not Ready",
        "The service runs, but something that it needs is missing. `parts` names it.",
        "Wait, or send requests to another instance. Operators find the cause in the service's log.";
    UnknownDebtorAccount "unknown-debtor-account" [422], "Unknown Debtor Account",
        "AC02: there is no account with the id that the money would come from.",
        "Check debtor_account. Nothing was booked, and the payment_id is used up: a corrected payment needs a new one.";
    UnknownCreditorAccount "unknown-creditor-account" [422], "Unknown Creditor Account",
        "AC03: there is no account with the id that the money would go to.",
        "Check creditor_account. Nothing was booked, and the payment_id is used up: a corrected payment needs a new one.";
    AccountClosed "account-closed" [422], "Account Closed",
        "AC04: one of the accounts is closed.",
        "Use another account. Nothing was booked.";
    AccountBlocked "account-blocked" [422], "Account Blocked",
        "AC06: one of the accounts is blocked.",
        "Ask the bank, which blocked it and may unblock it. Nothing was booked.";
    NotAllowed "not-allowed" [403], "Not Allowed",
        "AG01: the ledger knows the caller, who may not do this, for instance debit an account of somebody else.",
        "Use an account of the caller's own, or a caller who may (scope payments:submit-any or bank:operate).";
    AboveLimit "above-limit" [422], "Above a Limit",
        "AM02: the amount is above a limit of the caller, the account or the ledger.",
        "Pay less at a time, or ask for a higher limit. Nothing was booked.";
    LimitReached "limit-reached" [422], "Limit Reached",
        "AM14: the account has a limit for what may leave it in one day or month, and this would be more.",
        "`detail` says how much is left to whom it concerns. Wait for the next day or month (UTC), or ask the bank. Nothing was booked.";
    UnknownOriginal "unknown-original" [422], "Unknown Original",
        "NOOR: there is no hold, payment or transaction with the id that the request names, or none that the caller may use.",
        "Check the id, and whose it is: `client_id` names another client's. Nothing was booked.";
    CurrencyNotAllowed "currency-not-allowed" [422], "Currency Not Allowed",
        "AM03: the currency is unknown, or is not that of both accounts.",
        "Send the ISO 4217 code of the accounts' currency.";
    InsufficientFunds "insufficient-funds" [422], "Insufficient Funds",
        "AM04: the debtor's account does not hold enough.",
        "Pay in money or pay less. If `may_retry` is true, the same payment_id may be sent again.";
    IdUsed "id-used" [409], "Id Used",
        "AM05: the same id was used before with another content.",
        "Look at what the id stands for (GET it). For something else choose a new id.";
    KeyUsed "key-used" [422], "Key Used",
        "Another payment was sent with the same Idempotency-Key before. Nothing was done.",
        "Look at the payment that `payment_id` names. For something else send a new key; to try the same again send the same body.";
    InvalidAmount "invalid-amount" [422], "Invalid Amount",
        "AM12: the amount is no positive decimal of the currency's places, or stands where none may.",
        "Send the amount as text, such as \"12.50\", with at most as many places as the currency has. Leave it out where a transaction is reversed.";
    Malformed "malformed" [400, 422], "Malformed",
        "FF01: the request has a field missing, unknown or of the wrong form.",
        "`detail` names the field. Compare the body with its schema at /docs.";
    InvalidDate "invalid-date" [422], "Invalid Date",
        "DT01: a date is none, or is out of range.",
        "Send it as YYYY-MM-DD and within the range that `detail` names.";
    Rejected "rejected" [422], "Rejected",
        "NARR: the ledger rejected the request for the reason in `detail`.",
        "Read `detail`.";
    GatewayMalformedRequest "malformed-request" [400], "Bad Request",
        "The gateway can't read the request as HTTP.",
        "Check the client: one Host header, one length, a path without `..` above the root.";
    GatewayWithoutTls "without-tls" [400], "Bad Request",
        "The request came without TLS to an address that speaks HTTPS.",
        "Use https:// for this address.";
    GatewayNoSuchPath "no-such-path" [404], "Not Found",
        "The gateway shows nothing at this path.",
        "The bank is at /auth/, /bank/, /payment/ and /admin/.";
    GatewayNoSuchMethod "no-such-method" [405], "Method Not Allowed",
        "The gateway lets no such method through.",
        "Use GET, HEAD, POST, PUT, DELETE or OPTIONS.";
    GatewayLengthRequired "length-required" [411], "Length Required",
        "The gateway does not know how long the body is.",
        "Send Content-Length.";
    GatewayBodyTooLarge "body-too-large" [413], "Payload Too Large",
        "The body is larger than anything that this path takes.",
        "Send less at a time.";
    GatewayUriTooLong "uri-too-long" [414], "URI Too Long",
        "Path and query are longer than 8 KiB.",
        "Ask for less at a time.";
    GatewayPreconditionFailed "precondition-failed" [412], "Precondition Failed",
        "The file is another one by now than the request says.",
        "Ask for it without If-Match and If-Unmodified-Since.";
    GatewayUnknownHost "unknown-host" [421], "Misdirected Request",
        "The bank is not reached under this name.",
        "Use a name of the bank. Operators find its names in the gateway's names.conf.";
    GatewayTooManyConnections "too-many-connections" [429], "Too Many Requests",
        "Too many requests and streams of this address are open.",
        "Close some, wait for as many seconds as `Retry-After` says, then come again.";
    GatewayHeadersTooLarge "headers-too-large" [431], "Request Header Fields Too Large",
        "A header is longer than 8 KiB, or all of them than 32 KiB.",
        "Send fewer and shorter headers.";
    GatewayNotImplemented "not-implemented" [501], "Not Implemented",
        "The gateway knows no such transfer encoding.",
        "Send Content-Length, or `Transfer-Encoding: chunked`.";
    GatewayServiceAway "service-away" [502, 503], "Bad Gateway",
        "The service behind the gateway does not answer. What was asked for may have been done or not.",
        "Send the same request again after a second; with the same payment_id a payment is never paid twice.";
    GatewayServiceTooSlow "service-too-slow" [504], "Gateway Timeout",
        "The service behind the gateway did not answer in time. What was asked for may have been done or not.",
        "Send the same request again; with the same payment_id a payment is never paid twice.";
    GatewayUnknownVersion "unknown-version" [505], "HTTP Version Not Supported",
        "The gateway speaks HTTP/1.0 and HTTP/1.1.",
        "Use one of them.";
    GatewayFailed "gateway-failed" [500], "Internal Server Error",
        "The gateway could not do that.",
        "Send the same request again. If it stays, tell the bank when it happened.";
}

impl Kind {
    /// Whether the gateway words it (`gateway/problems.conf`), and no service.
    #[must_use]
    pub fn is_of_gateway(self) -> bool {
        format!("{self:?}").starts_with("Gateway")
    }

    /// The kind that a status alone stands for.
    #[must_use]
    pub fn of_status(status: StatusCode) -> Option<Self> {
        Some(match status {
            StatusCode::BAD_REQUEST => Self::BadRequest,
            StatusCode::UNAUTHORIZED => Self::TokenInvalid,
            StatusCode::FORBIDDEN => Self::Forbidden,
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::REQUEST_TIMEOUT => Self::RequestTimeout,
            StatusCode::CONFLICT => Self::Conflict,
            StatusCode::PAYLOAD_TOO_LARGE => Self::ContentTooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            StatusCode::UNPROCESSABLE_ENTITY => Self::Unprocessable,
            StatusCode::TOO_MANY_REQUESTS => Self::TooManyRequests,
            StatusCode::INTERNAL_SERVER_ERROR => Self::InternalError,
            StatusCode::SERVICE_UNAVAILABLE => Self::Unavailable,
            _ => return None,
        })
    }

    /// The kind of a reason code.
    #[must_use]
    pub fn of_code(code: Code) -> Self {
        match code {
            Code::AC02 => Self::UnknownDebtorAccount,
            Code::AC03 => Self::UnknownCreditorAccount,
            Code::AC04 => Self::AccountClosed,
            Code::AC06 => Self::AccountBlocked,
            Code::AG01 => Self::NotAllowed,
            Code::AM02 => Self::AboveLimit,
            Code::AM03 => Self::CurrencyNotAllowed,
            Code::AM04 => Self::InsufficientFunds,
            Code::AM05 => Self::IdUsed,
            Code::AM12 => Self::InvalidAmount,
            Code::AM14 => Self::LimitReached,
            Code::FF01 => Self::Malformed,
            Code::DT01 => Self::InvalidDate,
            Code::NOOR => Self::UnknownOriginal,
            Code::NARR => Self::Rejected,
        }
    }

    /// The kind of what is wrong with a token.
    #[must_use]
    pub fn of_token(error: TokenError) -> Self {
        match error {
            TokenError::Missing => Self::TokenMissing,
            TokenError::Expired => Self::TokenExpired,
            TokenError::Revoked => Self::TokenRevoked,
            _ => Self::TokenInvalid,
        }
    }

    /// The kind with this name, as it stands in the path of its page.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// The last part of the `type`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.uri().trim_start_matches(PREFIX)
    }

    /// Whether `reason` goes with it.
    #[must_use]
    pub fn has_reason(self) -> bool {
        Code::ALL.iter().any(|code| Self::of_code(*code) == self)
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.uri().serialize(serializer)
    }
}

impl JsonSchema for Kind {
    fn schema_name() -> Cow<'static, str> {
        "ProblemType".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let uris: Vec<_> = Self::ALL.iter().map(|kind| kind.uri()).collect();
        json_schema!({
            "type": "string",
            "format": "uri-reference",
            "description": "What went wrong, for programs. It is also the path of a page that says what to do.",
            "enum": uris,
        })
    }
}
