//! A payment id that is used up: the answer is what became of the first request with it, before any other check.

use common::kinds::payment::{Original, PaymentAnswer, PaymentStatus};
use common::reason::{Code, Reason};

use crate::core::book::usage::UsedPaymentId;
use crate::core::chain::Digest;

/// Answers a request whose payment id is used up. `rejected` makes the rejection of this request; `amount` is its amount
/// in the usual spelling.
pub(super) fn asked_before(
    first: &UsedPaymentId,
    content: &Digest,
    amount: Option<String>,
    rejected: impl FnOnce(Reason) -> PaymentAnswer,
) -> PaymentAnswer {
    let seq = first.request_seq;
    let original = Original {
        request_seq: seq,
        status: first.status,
        reason: first.reason,
    };
    let other_content = Reason::new(
        Code::AM05,
        format!("request {seq} used this payment_id for another payment"),
    );
    let rejected = rejected(other_content);
    if first.content != *content {
        return PaymentAnswer {
            original: Some(original),
            ..rejected
        };
    }
    PaymentAnswer {
        status: PaymentStatus::Duplicate,
        reason: None,
        amount,
        original: Some(original),
        ..rejected
    }
}
