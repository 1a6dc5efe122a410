//! What a producer hears: JetStream's acknowledgement of a publish (`io.nats.jetstream.api.v1.pub_ack_response`), which
//! every client library reads.

use common::reason::Reason;
use common::token::TokenError;
use common::wire::REQUESTS;
use serde_json::json;

use crate::door::{Refused, TooMuch};

/// Our own `err_code`s are this and the code: nats-server's are 10 000 and something.
const ERR_CODES: u16 = 20_000;

/// A publish that is not stored, or may not be.
#[derive(Debug)]
pub(super) struct Refusal {
    /// As HTTP's status codes.
    code: u16,
    pub(super) sentence: String,
}

impl Refusal {
    pub(super) fn new(code: u16, sentence: impl Into<String>) -> Self {
        Self {
            code,
            sentence: sentence.into(),
        }
    }

    /// The error acknowledgement, which client libraries raise with the sentence.
    pub(super) fn to_json(&self) -> Vec<u8> {
        let error = json!({
            "code": self.code,
            "err_code": ERR_CODES + self.code,
            "description": self.sentence,
        });
        json!({"error": error, "stream": REQUESTS, "seq": 0})
            .to_string()
            .into_bytes()
    }
}

/// The acknowledgement of a stored message.
pub(super) fn stored(sequence: u64) -> Vec<u8> {
    format!(r#"{{"stream":"{REQUESTS}","seq":{sequence}}}"#).into_bytes()
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        Self::new(401, format!("AG01: {error}"))
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self::new(400, format!("{}: {}", reason.code.as_str(), reason.message))
    }
}

impl From<TooMuch> for Refusal {
    fn from(too_much: TooMuch) -> Self {
        Self::new(429, too_much.to_string())
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::TooMuch(too_much) => too_much.into(),
            Refused::Broker(_) | Refused::Closed => {
                tracing::debug!(%refused, "a publish may not have been stored");
                Self::new(
                    503,
                    "the payment may have been stored or not: publish it again with the same payment_id, it is never \
                     paid twice",
                )
            }
        }
    }
}
