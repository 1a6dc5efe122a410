//! What an answer means for another row: the hold that was captured or voided or has ended, the payment that was reversed.
//! Pure.

use common::kinds::payment::{PaymentAnswer, PaymentStatus};
use common::money::{Currency, Money};

use crate::state::{Heard, next};
use crate::store::{FollowUpRow, ProgressRow};

/// What becomes of the hold or payment that an answer is about.
pub(super) fn of(answer: &PaymentAnswer) -> Option<ProgressRow> {
    let (client_id, payment_id) = match answer.status {
        PaymentStatus::Captured => (&answer.client_id, answer.hold_id?),
        PaymentStatus::Voided => (answer.hold_client(), answer.hold_id?),
        // The id in the answer to an announcement is the hold's.
        PaymentStatus::Expired => (&answer.client_id, answer.payment_id?),
        PaymentStatus::Reversed => {
            let of = answer.reverses.as_ref()?;
            (&of.client_id, of.payment_id)
        }
        PaymentStatus::Settled
        | PaymentStatus::Rejected
        | PaymentStatus::Duplicate
        | PaymentStatus::Authorised => return None,
    };
    let is_nothing = |text: &String| text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    let is_over = answer.remaining.as_ref().is_some_and(is_nothing);
    let (heard, remaining) = match answer.status {
        PaymentStatus::Voided => (Some(Heard::Voided), nothing(answer)),
        PaymentStatus::Expired => (Some(Heard::Expired), nothing(answer)),
        PaymentStatus::Captured => (is_over.then_some(Heard::Captured), answer.remaining.clone()),
        _ => (is_over.then_some(Heard::Reversed), answer.remaining.clone()),
    };
    Some(ProgressRow {
        client_id: client_id.clone(),
        payment_id,
        state: heard.and_then(|heard| next(None, heard).ok()),
        remaining,
    })
}

/// Zero, with the decimals of the currency.
fn nothing(answer: &PaymentAnswer) -> Option<String> {
    let currency = Currency::from_code(answer.currency.as_deref()?)?;
    Some(Money::zero(currency).to_string())
}

/// What was granted about a hold or payment, so that its page can name it.
pub(super) fn follow_up(answer: &PaymentAnswer) -> Option<FollowUpRow> {
    let by = (answer.client_id.clone(), answer.payment_id?);
    let of = match answer.status {
        PaymentStatus::Captured => (answer.client_id.clone(), answer.hold_id?),
        PaymentStatus::Voided => (answer.hold_client().clone(), answer.hold_id?),
        PaymentStatus::Reversed => {
            let of = answer.reverses.clone()?;
            (of.client_id, of.payment_id)
        }
        // By time: nobody asked for it.
        PaymentStatus::Expired
        | PaymentStatus::Settled
        | PaymentStatus::Rejected
        | PaymentStatus::Duplicate
        | PaymentStatus::Authorised => return None,
    };
    Some(FollowUpRow { of, by })
}
