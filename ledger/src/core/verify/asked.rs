//! Verifies the rarer requests of clients: holds, captures, voids, reversals.

use common::ids::ClientId;
use common::kinds::Answer;
use common::kinds::client_request::ClientRequest;
use common::kinds::metadata::has_repeated_key;
use common::message::Stored;
use common::reason::{Code, Reason};

use super::accepted::Accepted;
use super::envelope::{Known, SUBMITTERS, allowed, body, envelope};
use crate::core::at::At;
use crate::core::chain::{Digest, sha256};
use crate::core::rejection;

/// A request with its digest.
#[derive(Debug, Clone)]
pub struct Asked<R> {
    /// The body.
    pub request: R,
    /// SHA-256 of its kind and of the body in one spelling: two requests ask for the same thing if it is equal.
    pub content: Digest,
}

impl<R: ClientRequest + Clone> Asked<R> {
    /// A request.
    ///
    /// # Panics
    /// When the body can't be written as JSON, which is a mistake in its type.
    #[must_use]
    pub fn new(request: R) -> Self {
        let canonical = request.clone().canonical();
        let json = serde_json::to_vec(&canonical).expect("texts and ids are JSON");
        let content = sha256(&[R::REQUESTED.as_bytes(), b"\n", &json].concat());
        Self { request, content }
    }
}

/// The token and the request, or the rejection.
pub(super) fn verify<R: ClientRequest + Clone>(
    message: &Stored,
    at: At,
    client: ClientId,
    known: &mut Known<'_>,
) -> Result<Accepted<Asked<R>>, Box<Answer>> {
    let rejected = |client, request: Option<&R>, reason| {
        let answer = rejection::asked(at, client, request, reason, true);
        Box::new(Answer::Payment(answer))
    };
    let request: R = match body(message) {
        Ok(request) => request,
        Err(reason) => return Err(rejected(client, None, reason)),
    };
    if request.has_metadata() && has_repeated_key(&message.payload) {
        let reason = Reason::new(Code::FF01, "metadata has a key twice");
        return Err(rejected(client, Some(&request), reason));
    }
    let id = request.id().to_string();
    let verdict = envelope(message, at.rules, R::REQUESTED, &id)
        .and_then(|()| allowed(message, at.rules, &client, &SUBMITTERS, known));
    match verdict {
        Ok(token) => Ok(Accepted {
            token,
            request: Asked::new(request),
        }),
        Err(reason) => Err(rejected(client, Some(&request), reason)),
    }
}
