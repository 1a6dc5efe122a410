//! What an answer says about a payment: about its own, and about the hold or payment that it is about.

use chrono::{DateTime, Utc};
use common::kinds::payment::{PaymentAnswer, PaymentStatus};

use crate::state::{Heard, State, next};
use crate::store::{DecidedRow, ProgressRow, RowKind};

/// What was asked for, by the subject of its answer.
pub(super) fn kind_of(subject: &str) -> Option<RowKind> {
    match subject.split('.').nth(1) {
        Some("hold") => Some(RowKind::Hold),
        Some("capture") => Some(RowKind::Capture),
        Some("void") => Some(RowKind::Void),
        Some("reversal") => Some(RowKind::Reversal),
        Some("transaction") => Some(RowKind::Transaction),
        _ => None,
    }
}

/// What an answer says and the row that it may lead to; `None` when it is a duplicate, names no payment, or announces
/// what becomes of another one.
pub(super) fn decided(
    answer: PaymentAnswer,
    kind: Option<RowKind>,
    body: &[u8],
    decided_at: DateTime<Utc>,
) -> Option<(Heard, DecidedRow)> {
    let heard = match answer.status {
        // The id in the answer to an announcement is the hold's.
        PaymentStatus::Rejected if answer.payment_id.is_none() => return None,
        PaymentStatus::Duplicate | PaymentStatus::Expired => return None,
        PaymentStatus::Rejected if answer.may_retry => Heard::PassedOver,
        PaymentStatus::Rejected => Heard::Rejected,
        PaymentStatus::Settled => Heard::Settled,
        PaymentStatus::Authorised => Heard::Authorised,
        PaymentStatus::Captured => Heard::Captured,
        PaymentStatus::Voided => Heard::Voided,
        PaymentStatus::Reversed => Heard::Reversed,
    };
    let row = DecidedRow {
        client_id: answer.client_id,
        payment_id: answer.payment_id?,
        request_seq: answer.request_seq,
        state: State::Pending,
        published_at: answer.published_at,
        decided_at,
        kind,
        json: String::from_utf8_lossy(body).into_owned(),
    };
    Some((heard, row))
}

/// What an answer means for the hold or payment that it is about.
pub(super) fn later(answer: &PaymentAnswer) -> Option<ProgressRow> {
    let is_nothing = |text: &String| text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    let is_over = answer.remaining.as_ref().is_some_and(is_nothing);
    let (client_id, payment_id, heard) = match answer.status {
        PaymentStatus::Captured => (
            &answer.client_id,
            answer.hold_id?,
            is_over.then_some(Heard::Captured),
        ),
        PaymentStatus::Voided => (answer.hold_client(), answer.hold_id?, Some(Heard::Voided)),
        PaymentStatus::Expired => (&answer.client_id, answer.payment_id?, Some(Heard::Expired)),
        PaymentStatus::Reversed => {
            let of = answer.reverses.as_ref()?;
            (
                &of.client_id,
                of.payment_id,
                is_over.then_some(Heard::Reversed),
            )
        }
        PaymentStatus::Settled
        | PaymentStatus::Rejected
        | PaymentStatus::Duplicate
        | PaymentStatus::Authorised => return None,
    };
    Some(ProgressRow {
        client_id: client_id.clone(),
        payment_id,
        state: heard.and_then(|heard| next(None, heard).ok()),
        remaining: answer.remaining.clone(),
    })
}
