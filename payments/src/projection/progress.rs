//! What an answer means for another row: the hold that was captured or voided or has ended, the payment that was reversed.
//! Pure.

use common::ids::{ClientId, PaymentId};
use common::kinds::payment::{PaymentAnswer, PaymentStatus};
use common::money::{Currency, Money};

use crate::state::{Heard, next};
use crate::store::{FollowUpRow, ProgressRow};

/// Which hold or payment an answer is about, if it tells more about one that was granted before.
fn target(answer: &PaymentAnswer) -> Option<(&ClientId, PaymentId)> {
    match answer.status {
        PaymentStatus::Captured => Some((&answer.client_id, answer.hold_id?)),
        PaymentStatus::Voided => Some((answer.hold_client(), answer.hold_id?)),
        // The id in the answer to an announcement is the hold's.
        PaymentStatus::Expired => Some((&answer.client_id, answer.payment_id?)),
        PaymentStatus::Reversed => {
            let of = answer.reverses.as_ref()?;
            Some((&of.client_id, of.payment_id))
        }
        PaymentStatus::Settled
        | PaymentStatus::Rejected
        | PaymentStatus::Duplicate
        | PaymentStatus::Authorised => None,
    }
}

/// What becomes of the hold or payment that an answer is about.
pub(super) fn of(answer: &PaymentAnswer) -> Option<ProgressRow> {
    let (client_id, payment_id) = target(answer)?;
    let is_nothing = |text: &String| text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    let is_over = answer.remaining.as_ref().is_some_and(is_nothing);
    let (heard, remaining) = match answer.status {
        PaymentStatus::Voided => (Some(Heard::Voided), nothing(answer)),
        PaymentStatus::Expired => (Some(Heard::Expired), nothing(answer)),
        PaymentStatus::Captured => (is_over.then_some(Heard::Captured), answer.remaining.clone()),
        // Of a transaction nothing remains: it is reversed whole.
        _ => {
            let is_over = is_over || answer.remaining.is_none();
            (is_over.then_some(Heard::Reversed), answer.remaining.clone())
        }
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
    let (client_id, payment_id) = target(answer)?;
    // By time: nobody asked for it.
    if answer.status == PaymentStatus::Expired {
        return None;
    }
    Some(FollowUpRow {
        of: (client_id.clone(), payment_id),
        by: (answer.client_id.clone(), answer.payment_id?),
    })
}
