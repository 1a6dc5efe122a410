//! Verifies the announcement of a signing key.

use std::sync::Arc;

use common::kinds::Answer;
use common::kinds::trust::{AnnounceKey, REQUESTED};
use common::message::Stored;
use common::reason::{Code, Reason};
use common::token::{self, Keys, Scope, Verified};

use super::accepted::Accepted;
use super::envelope::{bearer, body, envelope, needs};
use crate::core::at::At;
use crate::core::book::Book;
use crate::core::rejection;

/// The token and the key, or the rejection.
pub(super) fn verify(
    message: &Stored,
    at: At,
    book: &Book,
) -> Result<Accepted<AnnounceKey>, Box<Answer>> {
    let rejected = |request, reason| Box::new(Answer::Key(rejection::key(at, request, reason)));
    let request: AnnounceKey = match body(message) {
        Ok(request) => request,
        Err(reason) => return Err(rejected(None, reason)),
    };
    if !is_reasonable(&request) {
        let reason = Reason::new(Code::FF01, "these are no key, no thumbprint or no issuer");
        return Err(rejected(None, reason));
    }
    let verdict = envelope(message, at.rules, REQUESTED, &request.kid)
        .and_then(|()| vouched_for(message, &request, book));
    match verdict {
        Ok(token) => Ok(Accepted { token, request }),
        Err(reason) => Err(rejected(Some(&request), reason)),
    }
}

/// Whatever is in the announcement is repeated in the answer, which must fit into a message and a header.
fn is_reasonable(request: &AnnounceKey) -> bool {
    let AnnounceKey { kid, issuer, n, e } = request;
    let is_base64url = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    kid.len() == THUMBPRINT_CHARS
        && [kid, n, e].into_iter().all(|text| is_base64url(text))
        && n.len() <= MODULUS_CHARS_MAX
        && (1..=ISSUER_BYTES_MAX).contains(&issuer.len())
        && !issuer.chars().any(char::is_control)
}

/// A SHA-256 in base64url.
const THUMBPRINT_CHARS: usize = 43;
/// 4096 bits in base64url.
const MODULUS_CHARS_MAX: usize = 683;
/// An issuer is a URL.
const ISSUER_BYTES_MAX: usize = 256;

/// The first key vouches for itself, since only auth may publish here, and so does one that follows when every other was
/// revoked. Each later one needs a token of a known key, so that another service can't slip one in.
fn vouched_for(
    message: &Stored,
    request: &AnnounceKey,
    book: &Book,
) -> Result<Arc<Verified>, Reason> {
    let mut own = Keys::default();
    own.insert(&request.kid, &request.issuer, &request.n, &request.e)
        .map_err(|error| Reason::new(Code::NARR, error.to_string()))?;
    let keys = if book.believes_a_key() {
        &book.keys
    } else {
        &own
    };
    let policy = book.rules.token_policy();
    let token = bearer(message)
        .and_then(|token| token::verify(token, message.published_at, policy, keys))
        .map_err(|error| Reason::new(Code::AG01, error.to_string()))?;
    needs(&token, &[Scope::AuthAdmin])?;
    Ok(Arc::new(token))
}
