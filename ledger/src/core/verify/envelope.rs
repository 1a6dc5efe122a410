//! What is checked alike for every kind: the body can be read, the headers agree with it, and the token allows it.

use std::sync::Arc;

use common::ids::ClientId;
use common::kinds::body::{self, RequestBody};
use common::kinds::envelope::Expected;
use common::message::Stored;
use common::reason::{Code, Reason};
use common::token::{self, CheckedTokens, Keys, Scope, TokenError, Verified};
use common::wire;

use crate::core::rules::Rules;

/// Each of them lets its owner move money.
pub(super) const SUBMITTERS: [Scope; 3] = [
    Scope::PaymentsSubmit,
    Scope::PaymentsSubmitAny,
    Scope::BankOperate,
];

/// What tokens are judged by.
pub(super) struct Known<'k> {
    /// The keys that were announced before.
    pub(super) keys: &'k Keys,
    /// Tokens that need no signature check any more.
    pub(super) checked: &'k mut CheckedTokens,
}

pub(super) fn not_too_long<T: RequestBody>(message: &Stored) -> Result<(), Reason> {
    if message.payload.len() > T::BYTES_MAX {
        return Err(Reason::new(
            Code::FF01,
            format!("the body has more than {} bytes", T::BYTES_MAX),
        ));
    }
    Ok(())
}

pub(super) fn body<T: RequestBody>(message: &Stored) -> Result<T, Reason> {
    not_too_long::<T>(message)?;
    body::read(&message.payload).map_err(|error| {
        // The parser's own words may change with its version, and an answer never may: they go to the log alone.
        tracing::debug!(seq = message.sequence, %error, "an unreadable body");
        unreadable()
    })
}

pub(super) fn unreadable() -> Reason {
    Reason::new(
        Code::FF01,
        "the body is not what schemas/ describes for this subject",
    )
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
    let expected = Expected {
        ce_type,
        ce_id,
        ids_as_ids: rules.compare_ids_as_ids(),
    };
    expected.check(&message.headers)
}

/// The token of a message, if it passes, is its sender's and allows this.
pub(super) fn allowed(
    message: &Stored,
    rules: Rules,
    client: &ClientId,
    scopes: &[Scope],
    known: &mut Known<'_>,
) -> Result<Arc<Verified>, Reason> {
    let token = bearer(message)
        .and_then(|token| {
            known.checked.verify(
                token,
                message.published_at,
                rules.token_policy(),
                known.keys,
            )
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
