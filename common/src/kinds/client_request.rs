//! What the requests of clients have in common: a subject of the client's own, and an id that is used up.

use serde::Serialize;

use crate::ids::{ClientId, PaymentId};
use crate::kinds::body::RequestBody;
use crate::kinds::settlement::PaymentAnswer;
use crate::message::{EventHeaders, Outgoing};

/// The `ce-source` of a client's requests.
#[must_use]
pub fn source(client: &ClientId) -> String {
    format!("/clients/{client}")
}

/// A kind of request that clients send under a subject of their own, and that uses up a payment id.
pub trait ClientRequest: RequestBody + Serialize {
    /// The `ce-type`.
    const REQUESTED: &'static str;
    /// What its subjects begin with; the client's id follows.
    const SUBJECT_PREFIX: &'static str;

    /// The id that it uses up.
    fn id(&self) -> PaymentId;

    /// Fills in what an answer repeats of the request, besides its id.
    fn describe(&self, answer: &mut PaymentAnswer);

    /// Whether it has notes of the producer's own.
    #[must_use]
    fn has_metadata(&self) -> bool {
        false
    }

    /// The request in one spelling: equal for two requests that ask for the same thing.
    #[must_use]
    fn canonical(self) -> Self;

    /// Where a client publishes it.
    #[must_use]
    fn subject(client: &ClientId) -> String {
        format!("{}{client}", Self::SUBJECT_PREFIX)
    }

    /// The message that asks for it.
    #[must_use]
    fn message(&self, client: &ClientId, token: &str, traceparent: Option<&str>) -> Outgoing {
        let event = EventHeaders {
            ce_type: Self::REQUESTED,
            ce_id: self.id(),
            ce_source: &source(client),
        };
        Outgoing::request(Self::subject(client), token, event, traceparent, self)
    }
}
