//! Many payments in one message: one token, one request, one answer with an outcome for each.

mod answer;
mod read;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, BatchId, ClientId, PaymentId};
use crate::kinds::body::RequestBody;
use crate::kinds::client_request::source;
use crate::message::{EventHeaders, Outgoing};

pub use answer::{BatchAnswer, BatchStatus, ItemAnswer};
pub use read::{Batch, Malformed, UnreadableBatch};

/// What its subjects begin with; the client's id follows.
pub const SUBJECT_PREFIX: &str = "request.payment-batch.v1.";
/// The request's `ce-type`.
pub const REQUESTED: &str = "payment-batch.requested.v1";
/// Most payments in a batch: as many as one transaction of the ledger writes best.
pub const PAYMENTS_MAX: usize = 1000;

/// Asks for several payments at once. Subject `request.payment-batch.v1.<client_id>`.
///
/// Each payment is decided in order and by itself, as if it had come alone; with `atomic` all are booked, or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "payment-batch.requested.v1", example = example())]
pub struct BatchRequest {
    /// Chosen by the producer, to find the batch by. The payments' own ids are what is used up.
    pub batch_id: BatchId,
    /// All of it is booked, or nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub atomic: bool,
    /// The account that pays, where a payment names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub debtor_account: Option<AccountId>,
    /// The currency, where a payment names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[A-Z]{3}$"))]
    pub currency: Option<String>,
    /// 1 to 1 000.
    #[schemars(length(min = 1, max = 1000))]
    pub payments: Vec<BatchItem>,
}

/// One payment of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchItem {
    /// Used up as any payment's, in a batch or alone.
    pub payment_id: PaymentId,
    /// The account that pays; the batch's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub debtor_account: Option<AccountId>,
    /// The account that is paid.
    pub creditor_account: AccountId,
    /// Above zero, at most 15 digits before the point and the currency's decimals after it.
    #[schemars(regex(pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$"))]
    pub amount: String,
    /// ISO 4217 code; the batch's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[A-Z]{3}$"))]
    pub currency: Option<String>,
    /// Free text for both parties' statements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 140))]
    pub reference: Option<String>,
    /// `YYYY-MM-DD`, not after the day (UTC) on which the request was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date"))]
    pub effective_date: Option<String>,
    /// The producer's own notes, carried along and never read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 20))]
    pub metadata: BTreeMap<String, String>,
}

/// Ada pays two people, on a bank with the accounts of the demonstration.
fn example() -> serde_json::Value {
    serde_json::json!({
        "batch_id": "019a5c3e-7b1a-7c3f-9d43-5b7d3c1f2b00",
        "debtor_account": "01900000-ada0-7000-8000-000000000002",
        "currency": "EUR",
        "payments": [
            {
                "payment_id": "019a5c3e-7b1a-7c3f-9d43-5b7d3c1f2b01",
                "creditor_account": "01900000-96ac-7000-8000-000000000003",
                "amount": "1.50",
            },
            {
                "payment_id": "019a5c3e-7b1a-7c3f-9d43-5b7d3c1f2b02",
                "creditor_account": "01900000-96ac-7000-8000-000000000003",
                "amount": "2.00",
                "reference": "Tea",
            },
        ],
    })
}

impl RequestBody for BatchRequest {
    /// A thousand payments take 150 to 250 KB. The answer repeats them and adds at most 400 bytes to each, so the longest
    /// one still fits a message (`max_payload` in `nats/nats-server.conf`).
    const BYTES_MAX: usize = 512 * 1024;
}

/// Where a client publishes batches.
#[must_use]
pub fn subject(client: &ClientId) -> String {
    format!("{SUBJECT_PREFIX}{client}")
}

impl BatchRequest {
    /// The message that asks for it.
    #[must_use]
    pub fn message(&self, client: &ClientId, token: &str, traceparent: Option<&str>) -> Outgoing {
        let event = EventHeaders {
            ce_type: REQUESTED,
            ce_id: self.batch_id,
            ce_source: &source(client),
        };
        Outgoing::request(subject(client), token, event, traceparent, self)
    }
}
