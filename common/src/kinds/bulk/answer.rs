//! What became of a batch.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, BatchId, ClientId, PaymentId};
use crate::kinds::body::AnswerBody;
use crate::kinds::settlement::{Original, PaymentAnswer, PaymentStatus};
use crate::reason::Reason;
use crate::timestamp;

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "payment-batch.answered.v1, payment-batch.rejected.v1")]
pub struct BatchAnswer {
    /// Sequence of the request in REQUESTS and of this answer in SETTLEMENTS.
    pub request_seq: u64,
    /// `null` when the request was too malformed to read it.
    pub batch_id: Option<BatchId>,
    /// Whose batch it is; from the subject, which the broker guards.
    pub client_id: ClientId,
    /// Whether its payments were looked at.
    pub status: BatchStatus,
    /// Why they were not; `null` otherwise.
    pub reason: Option<Reason>,
    /// Whether all was to be booked, or nothing.
    pub atomic: bool,
    /// How many payments were booked.
    pub settled: u32,
    /// How many were not.
    pub rejected: u32,
    /// How many were asked for before.
    pub duplicates: u32,
    /// The debtor of payments that name none; absent where each names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub debtor_account: Option<AccountId>,
    /// The currency of payments that name none; absent where each names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// What became of each payment, in the order of the request.
    pub payments: Vec<ItemAnswer>,
    /// Nothing was decided about any payment: all of it may be sent again.
    pub may_retry: bool,
    /// The broker's timestamp of the request, the time at which it was judged.
    #[serde(with = "timestamp")]
    #[schemars(with = "DateTime<Utc>")]
    pub published_at: DateTime<Utc>,
}

/// What became of a batch as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BatchStatus {
    /// Each payment has its outcome.
    Answered,
    /// None was looked at, `reason` says why.
    Rejected,
}

/// What became of one payment of a batch. Fields without a value are absent: there are up to a thousand of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ItemAnswer {
    /// Absent when it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_id: Option<PaymentId>,
    /// `settled`, `rejected` or `duplicate`.
    pub status: PaymentStatus,
    /// Why it was rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The account that was to pay, if it is not the batch's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub debtor_account: Option<AccountId>,
    /// The account that was to be paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creditor_account: Option<AccountId>,
    /// With all decimals of its currency; as it was sent when it is no amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    /// As it was sent, if it is not the batch's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// As it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The value date, if the payment named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date"))]
    pub effective_date: Option<String>,
    /// As it was sent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// For a duplicate and for AM05: the outcome of the first request with this payment id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<Original>,
    /// Nothing was decided about it: the same `payment_id` is free.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_retry: bool,
}

impl BatchAnswer {
    /// What became of one payment, as if it had come alone. It has no postings: account by account they are what the
    /// payment says, and a batch shows no balances.
    #[must_use]
    pub fn payment(&self, item: &ItemAnswer) -> PaymentAnswer {
        let day = || Some(self.published_at.date_naive().to_string());
        let effective_date = match item.status {
            PaymentStatus::Settled => item.effective_date.clone().or_else(day),
            _ => item.effective_date.clone(),
        };
        PaymentAnswer {
            request_seq: self.request_seq,
            payment_id: item.payment_id,
            status: item.status,
            reason: item.reason.clone(),
            debtor_account: item.debtor_account.or(self.debtor_account),
            creditor_account: item.creditor_account,
            amount: item.amount.clone(),
            currency: item.currency.clone().or_else(|| self.currency.clone()),
            reference: item.reference.clone(),
            effective_date: Some(effective_date),
            metadata: Some(item.metadata.clone()),
            original: item.original.clone(),
            may_retry: item.may_retry,
            published_at: self.published_at,
            ..PaymentAnswer::nothing(self.client_id.clone())
        }
    }
}

impl AnswerBody for BatchAnswer {
    fn ce_type(&self) -> &'static str {
        match self.status {
            BatchStatus::Answered => "payment-batch.answered.v1",
            BatchStatus::Rejected => "payment-batch.rejected.v1",
        }
    }

    fn about(&self) -> Option<String> {
        self.batch_id.map(|id| id.to_string())
    }

    fn outcome(&self) -> (&'static str, Option<&Reason>) {
        let status = match self.status {
            BatchStatus::Answered => "answered",
            BatchStatus::Rejected => "rejected",
        };
        (status, self.reason.as_ref())
    }

    fn request_seq(&self) -> u64 {
        self.request_seq
    }
}

#[cfg(test)]
mod tests {
    use super::super::{BatchRequest, PAYMENTS_MAX};
    use super::*;
    use crate::kinds::body::RequestBody as _;
    use crate::reason::Code;

    #[test]
    fn the_longest_answer_fits_a_message() {
        let longest = ItemAnswer {
            payment_id: Some(PaymentId(uuid::Uuid::nil())),
            status: PaymentStatus::Duplicate,
            reason: Some(Reason::new(Code::AM14, "x".repeat(200))),
            debtor_account: None,
            creditor_account: None,
            amount: None,
            currency: None,
            reference: None,
            effective_date: None,
            metadata: BTreeMap::new(),
            original: Some(Original {
                request_seq: u64::MAX,
                status: PaymentStatus::Authorised,
                reason: Some(Code::AM05),
            }),
            may_retry: true,
        };
        let added = serde_json::to_vec(&longest).unwrap().len();
        // The id is in the request too; an amount may get a point and four decimals.
        assert!(added < 450, "{added}");
        assert!(BatchRequest::BYTES_MAX + PAYMENTS_MAX * added + 4096 < 1024 * 1024);
    }
}
