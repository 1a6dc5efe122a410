//! Verifies a revocation.

use common::ids::is_storable;
use common::kinds::Answer;
use common::kinds::revocation::{BECAUSE_CHARS_MAX, REQUESTED, Revoke};
use common::message::Stored;
use common::reason::{Code, Reason};
use common::token::{LEEWAY_SECONDS, Scope, Target};

use super::accepted::Accepted;
use super::envelope::{Known, allowed, body, envelope};
use crate::core::at::At;
use crate::core::rejection;

/// Who revokes.
const AUTH: &str = "auth";

/// The token and the revocation, or the rejection.
pub(super) fn verify(
    message: &Stored,
    at: At,
    known: &mut Known<'_>,
) -> Result<Accepted<Revoke>, Box<Answer>> {
    let rejected = |request, reason| {
        Box::new(Answer::Revocation(rejection::revocation(
            at, request, reason,
        )))
    };
    let request: Revoke = match body(message) {
        Ok(request) => request,
        Err(reason) => return Err(rejected(None, reason)),
    };
    if !is_reasonable(&request) {
        let reason = Reason::new(Code::FF01, "these are no names, or no word for the reason");
        return Err(rejected(None, reason));
    }
    let auth = AUTH.parse().expect("a constant of letters");
    let id = request.revocation_id.to_string();
    let verdict = envelope(message, at.rules, REQUESTED, &id)
        .and_then(|()| allowed(message, at.rules, &auth, &[Scope::AuthAdmin], known))
        .and_then(|token| not_of_the_future(&request.target, at).map(|()| token));
    match verdict {
        Ok(token) => Ok(Accepted { token, request }),
        Err(reason) => Err(rejected(Some(&request), reason)),
    }
}

/// Whatever is in it is repeated in the answer, and kept.
fn is_reasonable(request: &Revoke) -> bool {
    let name = match &request.target {
        Target::Key { kid } => kid,
        Target::Subject { sub, .. } => sub,
        Target::Client { client_id, .. } => client_id.as_str(),
        Target::Session { sid } => sid,
        Target::Token { jti } => jti,
    };
    let because = &request.because;
    let is_word = because.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    is_storable(name) && is_word && (1..=BECAUSE_CHARS_MAX).contains(&because.len())
}

/// A watermark in the future would lock somebody out who did nothing.
fn not_of_the_future(target: &Target, at: At) -> Result<(), Reason> {
    match target {
        Target::Subject { issued_until, .. } | Target::Client { issued_until, .. }
            if *issued_until > at.published_at.timestamp() + LEEWAY_SECONDS =>
        {
            Err(Reason::new(Code::DT01, "issued_until is in the future"))
        }
        Target::Key { .. }
        | Target::Subject { .. }
        | Target::Client { .. }
        | Target::Session { .. }
        | Target::Token { .. } => Ok(()),
    }
}
