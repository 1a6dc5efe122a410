//! What is checked alike for every kind: the body can be read, the headers agree with it, and the token allows it.

use std::sync::Arc;

use common::ids::ClientId;
use common::kinds::body::{self, RequestBody};
use common::message::Stored;
use common::reason::{Code, Reason};
use common::token::{self, CheckedTokens, Keys, Scope, TokenError, Verified};
use common::wire;
use uuid::Uuid;

use crate::core::rules::Rules;

/// What tokens are judged by.
pub(super) struct Known<'k> {
    /// The keys that were announced before.
    pub(super) keys: &'k Keys,
    /// Tokens that need no signature check any more.
    pub(super) checked: &'k mut CheckedTokens,
}

/// The headers that mean something; each may appear once.
const HEADERS: [&str; 6] = [
    wire::AUTHORIZATION,
    wire::CE_SPECVERSION,
    wire::CE_ID,
    wire::CE_TYPE,
    wire::CE_SOURCE,
    wire::TRACEPARENT,
];

pub(super) fn body<T: RequestBody>(message: &Stored) -> Result<T, Reason> {
    if message.payload.len() > T::BYTES_MAX {
        return Err(Reason::new(
            Code::FF01,
            format!("the body has more than {} bytes", T::BYTES_MAX),
        ));
    }
    body::read(&message.payload).map_err(|error| {
        // The parser's own words may change with its version, and an answer never may: they go to the log alone.
        tracing::debug!(seq = message.sequence, %error, "an unreadable body");
        Reason::new(
            Code::FF01,
            "the body is not what schemas/ describes for this subject",
        )
    })
}

/// No header appears twice. CloudEvents headers may be missing, but must not contradict the body.
pub(super) fn envelope(
    message: &Stored,
    rules: Rules,
    ce_type: &str,
    ce_id: &str,
) -> Result<(), Reason> {
    if message.unreadable_headers.is_some() {
        return Err(Reason::new(Code::FF01, "the headers can't be read"));
    }
    let headers = &message.headers;
    if let Some(name) = HEADERS
        .iter()
        .find(|name| headers.get_all(name).count() > 1)
    {
        return Err(Reason::new(
            Code::FF01,
            format!("the header {name} appears twice"),
        ));
    }
    for (name, expected) in [
        (wire::CE_SPECVERSION, "1.0"),
        (wire::CE_TYPE, ce_type),
        (wire::CE_ID, ce_id),
    ] {
        let is_expected = |value: &str| {
            let as_ids = name == wire::CE_ID && rules.compare_ids_as_ids();
            value.eq_ignore_ascii_case(expected) || as_ids && is_same_id(value, expected)
        };
        if headers.get(name).is_some_and(|value| !is_expected(value)) {
            return Err(Reason::new(
                Code::FF01,
                format!("the header {name} is not {expected}, as the body has it"),
            ));
        }
    }
    Ok(())
}

/// Whether two texts spell the same UUID.
fn is_same_id(one: &str, other: &str) -> bool {
    let id = |text: &str| text.parse::<Uuid>().ok();
    id(one).is_some_and(|one| id(other) == Some(one))
}

/// The token of a message, if it passes, is its sender's and allows this.
pub(super) fn allowed(
    message: &Stored,
    client: &ClientId,
    scopes: &[Scope],
    known: &mut Known<'_>,
) -> Result<Arc<Verified>, Reason> {
    let token = bearer(message)
        .and_then(|token| {
            known
                .checked
                .verify(token, message.published_at, known.keys)
        })
        .map_err(|error| Reason::new(Code::AG01, error.to_string()))?;
    if token.claims.client_id != *client {
        return Err(Reason::new(
            Code::AG01,
            "sender_mismatch: the token is another client's than the subject",
        ));
    }
    needs(&token, scopes)?;
    Ok(token)
}

pub(super) fn bearer(message: &Stored) -> Result<&str, TokenError> {
    message
        .header(wire::AUTHORIZATION)
        .ok_or(TokenError::Missing)
        .and_then(token::bearer)
}

pub(super) fn needs(token: &Verified, scopes: &[Scope]) -> Result<(), Reason> {
    if token.claims.allows_any(scopes) {
        return Ok(());
    }
    let words: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
    Err(Reason::new(
        Code::AG01,
        format!("scope: the token needs {}", words.join(" or ")),
    ))
}
