//! What the bodies of all kinds have in common: how a request's is read, and what an answer's says.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ids::{ClientId, PaymentId};
use crate::kinds::payment::{PaymentAnswer, source};
use crate::message::{EventHeaders, Outgoing};
use crate::reason::Reason;

/// The body of a kind of request.
pub trait RequestBody: DeserializeOwned {
    /// Largest body, in bytes. A longer one is answered FF01 as far as it can be stored. The fields of one payment or
    /// account at their limits take under 16 KiB.
    const BYTES_MAX: usize = 32 * 1024;
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

/// Reads a body. Everybody who reads one does it here, so that all agree on what a readable request is.
///
/// # Errors
/// When it is not a JSON object with exactly the fields of `T`.
pub fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, serde_json::Error> {
    // serde would take the fields of a struct from an array as well.
    if body
        .trim_ascii_start()
        .first()
        .is_none_or(|first| *first == b'{')
    {
        return serde_json::from_slice(body);
    }
    serde_json::from_slice::<serde_json::Value>(body)?;
    Err(serde::de::Error::custom("expected a JSON object"))
}

/// What the answers of every kind say alike.
pub(crate) trait AnswerBody {
    /// Its `ce-type`.
    fn ce_type(&self) -> &'static str;
    /// What it is about, for `ce-subject`: the payment's, account's or key's id.
    fn about(&self) -> Option<String>;
    /// The status and the reason, if it is a rejection.
    fn outcome(&self) -> (&'static str, Option<&Reason>);
    /// The sequence that it answers.
    fn request_seq(&self) -> u64;
}
