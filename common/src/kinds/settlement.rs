//! The settlement event: what became of a payment, or of a hold, capture, void, reversal or transaction.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::ids::{AccountId, ClientId, PaymentId};
use crate::kinds::body::AnswerBody;
use crate::kinds::posting::Posting;
use crate::reason::{Code, Reason};
use crate::timestamp;

/// What became of a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(
    title = "payment.settled.v1, payment.rejected.v1, payment.duplicate.v1, payment.authorised.v1, payment.captured.v1, payment.voided.v1, payment.reversed.v1, payment.expired.v1"
)]
pub struct PaymentAnswer {
    /// Sequence of the request in REQUESTS and of this answer in SETTLEMENTS.
    pub request_seq: u64,
    /// `null` when the request was too malformed to read it.
    pub payment_id: Option<PaymentId>,
    /// Whose payment it is; from the subject, which the broker guards.
    pub client_id: ClientId,
    /// The outcome.
    pub status: PaymentStatus,
    /// Why it was rejected; `null` otherwise.
    pub reason: Option<Reason>,
    /// The account that was to pay.
    pub debtor_account: Option<AccountId>,
    /// The account that was to be paid.
    pub creditor_account: Option<AccountId>,
    /// With all decimals of its currency; as it was sent when it is no amount. `null` of a transaction, and of the reversal that
    /// books it back: each posting says its own.
    pub amount: Option<String>,
    /// As it was sent.
    pub currency: Option<String>,
    /// As it was sent.
    pub reference: Option<String>,
    /// The value date: of a settled payment the day it counts from, otherwise as it was sent. Absent by rules 1.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(extend("format" = "date"))]
    pub effective_date: Option<Option<String>>,
    /// As it was sent. Absent by rules 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
    /// The hold that a capture or void is about; absent from other answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_id: Option<PaymentId>,
    /// Whose hold that is, if it is another client's; absent from other answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_client_id: Option<ClientId>,
    /// When a hold ends by itself; absent where there is no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: Option<String>,
    /// What is still held after what was done with a hold, or can still be reversed after a reversal; absent when a transaction
    /// is reversed, which is done whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<String>,
    /// What a reversal is about; absent from other answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverses: Option<Reverses>,
    /// By which rates a transaction exchanged currencies; absent where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rates: Vec<Rate>,
    /// What was booked: empty when nothing was.
    pub postings: Vec<Posting>,
    /// For a duplicate and for AM05: the outcome of the first request with this payment id.
    pub original: Option<Original>,
    /// Nothing was decided about the payment itself (no valid token, headers that contradict the body): the same
    /// `payment_id` is free and may be sent again. Otherwise it is used up.
    pub may_retry: bool,
    /// The broker's timestamp of the request, the time at which it was judged.
    #[serde(with = "timestamp")]
    #[schemars(with = "DateTime<Utc>")]
    pub published_at: DateTime<Utc>,
}

impl PaymentAnswer {
    /// An answer that says nothing yet: what a request says is filled in over it.
    #[must_use]
    pub fn nothing(client_id: ClientId) -> Self {
        Self {
            request_seq: 0,
            payment_id: None,
            client_id,
            status: PaymentStatus::Rejected,
            reason: None,
            debtor_account: None,
            creditor_account: None,
            amount: None,
            currency: None,
            reference: None,
            effective_date: Some(None),
            metadata: Some(BTreeMap::new()),
            hold_id: None,
            hold_client_id: None,
            expires_at: None,
            remaining: None,
            reverses: None,
            rates: Vec::new(),
            postings: Vec::new(),
            original: None,
            may_retry: false,
            published_at: DateTime::UNIX_EPOCH,
        }
    }

    /// Whose hold a capture or void is about.
    #[must_use]
    pub fn hold_client(&self) -> &ClientId {
        self.hold_client_id.as_ref().unwrap_or(&self.client_id)
    }
}

/// The outcome of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    /// Booked.
    Settled,
    /// Not booked, `reason` says why.
    Rejected,
    /// Asked before with the same content; nothing was booked now.
    Duplicate,
    /// Held, not booked.
    Authorised,
    /// A hold, or a part of it, is booked.
    Captured,
    /// What was held is free again.
    Voided,
    /// Booked back.
    Reversed,
    /// A hold has ended by time.
    Expired,
}

/// The outcome that a duplicate repeats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Original {
    /// The sequence that answered it.
    pub request_seq: u64,
    /// Its outcome.
    pub status: PaymentStatus,
    /// Why, if it was rejected.
    pub reason: Option<Code>,
}

impl PaymentStatus {
    /// Every status.
    pub const ALL: [Self; 8] = [
        Self::Settled,
        Self::Rejected,
        Self::Duplicate,
        Self::Authorised,
        Self::Captured,
        Self::Voided,
        Self::Reversed,
        Self::Expired,
    ];

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Rejected => "rejected",
            Self::Duplicate => "duplicate",
            Self::Authorised => "authorised",
            Self::Captured => "captured",
            Self::Voided => "voided",
            Self::Reversed => "reversed",
            Self::Expired => "expired",
        }
    }

    /// The status of a word on the wire.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// The `ce-type` of an answer with it.
    #[must_use]
    pub fn ce_type(self) -> &'static str {
        match self {
            Self::Settled => "payment.settled.v1",
            Self::Rejected => "payment.rejected.v1",
            Self::Duplicate => "payment.duplicate.v1",
            Self::Authorised => "payment.authorised.v1",
            Self::Captured => "payment.captured.v1",
            Self::Voided => "payment.voided.v1",
            Self::Reversed => "payment.reversed.v1",
            Self::Expired => "payment.expired.v1",
        }
    }

    /// The status that an answer of this `ce-type` has.
    #[must_use]
    pub fn of_type(ce_type: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|status| status.ce_type() == ce_type)
    }
}

/// A field that is there, though its value may be `null`.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl AnswerBody for PaymentAnswer {
    fn ce_type(&self) -> &'static str {
        self.status.ce_type()
    }

    fn about(&self) -> Option<String> {
        self.payment_id.map(|id| id.to_string())
    }

    fn outcome(&self) -> (&'static str, Option<&Reason>) {
        (self.status.as_str(), self.reason.as_ref())
    }

    fn request_seq(&self) -> u64 {
        self.request_seq
    }
}

/// The payment that a reversal is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reverses {
    /// Whose payment it is.
    pub client_id: ClientId,
    /// Its id.
    pub payment_id: PaymentId,
}

/// A rate that was applied: one `from` is `rate` `to`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// ISO 4217 code.
    #[schemars(regex(pattern = "^[A-Z]{3}$"))]
    pub from: String,
    /// ISO 4217 code.
    #[schemars(regex(pattern = "^[A-Z]{3}$"))]
    pub to: String,
    /// Above zero, at most 18 digits.
    #[schemars(regex(pattern = r"^[0-9]{1,9}(\.[0-9]{1,9})?$"))]
    pub rate: String,
}
