//! A reversal: what a payment booked is booked back, in full or in part; what a transaction booked, in full. The first
//! postings stay.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{ClientId, PaymentId};
use crate::kinds::body::RequestBody;
use crate::kinds::client_request::ClientRequest;
use crate::kinds::hold::plain_amount;
use crate::kinds::payment::REFERENCE_CHARS_MAX;
use crate::kinds::settlement::{PaymentAnswer, Reverses};
use crate::reason::{Code, Reason};

/// Asks to book a payment back. Subject `request.reversal.v1.<client_id>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "reversal.requested.v1")]
pub struct ReversalRequest {
    /// Its own id, as a payment's.
    pub payment_id: PaymentId,
    /// The `payment_id` of what is reversed: a payment or a capture, from rules 6 on also a transaction, for the bank.
    pub reverses: PaymentId,
    /// Whose payment that is; the caller's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
    /// At most what was not reversed before; all of that when absent. A transaction is reversed whole, without an amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$"))]
    pub amount: Option<String>,
    /// Free text for both parties' statements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 140))]
    pub reason: Option<String>,
}

impl RequestBody for ReversalRequest {}

impl ClientRequest for ReversalRequest {
    const REQUESTED: &'static str = "reversal.requested.v1";
    const SUBJECT_PREFIX: &'static str = "request.reversal.v1.";

    fn id(&self) -> PaymentId {
        self.payment_id
    }

    fn describe(&self, answer: &mut PaymentAnswer) {
        let client_id = self.client_id.clone();
        answer.reverses = Some(Reverses {
            client_id: client_id.unwrap_or_else(|| answer.client_id.clone()),
            payment_id: self.reverses,
        });
        answer.amount.clone_from(&self.amount);
        answer.reference.clone_from(&self.reason);
    }

    fn canonical(mut self) -> Self {
        self.amount = self.amount.map(|amount| plain_amount(&amount));
        self
    }
}

impl ReversalRequest {
    /// What is wrong with it, whatever the books say.
    #[must_use]
    pub fn mistake(&self) -> Option<Reason> {
        let is_long = |text: &String| text.chars().count() > REFERENCE_CHARS_MAX;
        self.reason.as_ref().filter(|text| is_long(text)).map(|_| {
            let message = format!("the reason has more than {REFERENCE_CHARS_MAX} characters");
            Reason::new(Code::FF01, message)
        })
    }
}
