//! Verifies a payment request.

use common::ids::ClientId;
use common::kinds::Answer;
use common::kinds::client_request::ClientRequest as _;
use common::kinds::metadata::has_repeated_key;
use common::kinds::payment::{PaymentRequest, Terms};
use common::message::Stored;
use common::reason::{Code, Reason};
use uuid::Uuid;

use super::accepted::Accepted;
use super::envelope::{Known, SUBMITTERS, allowed, body, envelope};
use crate::core::at::At;
use crate::core::chain::{Digest, sha256};
use crate::core::rejection;

/// A payment request with what decisions need of it, read once.
#[derive(Debug, Clone)]
pub struct Payment {
    /// The body.
    pub request: PaymentRequest,
    /// Amount and value date, or what is wrong with them.
    pub terms: Result<Terms, Reason>,
    /// SHA-256 of the body in one spelling: two requests ask for the same thing if it is equal.
    pub content: Digest,
}

impl Payment {
    /// Reads a body that was published at this time.
    #[must_use]
    pub fn new(request: PaymentRequest, at: At) -> Self {
        let terms = request.terms(at.published_at);
        let content = sha256(&request.canonical_json(terms.as_ref().ok()));
        Self {
            request,
            terms,
            content,
        }
    }
}

/// The token and the payment, or the rejection.
pub(super) fn verify(
    message: &Stored,
    at: At,
    client: ClientId,
    known: &mut Known<'_>,
) -> Result<Accepted<Payment>, Box<Answer>> {
    let rejected = |client, request, reason| {
        Box::new(Answer::Payment(rejection::payment(
            at, client, request, reason, true,
        )))
    };
    let request: PaymentRequest = match body(message) {
        Ok(request) => request,
        Err(reason) => return Err(rejected(client, None, reason)),
    };
    let has_notes = !request.metadata.is_empty();
    if at.rules.refuse_repeated_keys() && has_notes && has_repeated_key(&message.payload) {
        let reason = Reason::new(Code::FF01, "metadata has a key twice");
        return Err(rejected(client, Some(&request), reason));
    }
    let mut buffer = Uuid::encode_buffer();
    let id = request.payment_id.0.hyphenated().encode_lower(&mut buffer);
    let verdict = envelope(message, at.rules, PaymentRequest::REQUESTED, id)
        .and_then(|()| allowed(message, at.rules, &client, &SUBMITTERS, known));
    match verdict {
        Ok(token) => Ok(Accepted {
            token,
            request: Payment::new(request, at),
        }),
        Err(reason) => Err(rejected(client, Some(&request), reason)),
    }
}
