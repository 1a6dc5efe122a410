//! Batches of payments: what their answers say is booked, and the payment ids that they used up.

use common::kinds::Answer;
use common::kinds::bulk::{BatchAnswer, ItemAnswer};
use common::kinds::payment::PaymentStatus;
use common::kinds::posting::{Direction, Posting};
use futures::TryStreamExt as _;
use serde::Deserialize as _;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::fault;
use crate::audit::error::Stop;
use crate::store;

/// The postings that an answer says; `None` when it is not a batch's.
pub(super) fn postings(body: &Value) -> Option<Vec<Posting>> {
    let answer = BatchAnswer::deserialize(body).ok()?;
    let booked = answer.payments.iter().filter(|item| is_settled(item));
    let postings = booked.map(|item| {
        let payment = answer.payment(item);
        let posting = |account, direction| {
            Some(Posting {
                account,
                direction,
                amount: payment.amount.clone()?,
                currency: None,
                balance: None,
            })
        };
        Some([
            posting(payment.debtor_account?, Direction::Debit)?,
            posting(payment.creditor_account?, Direction::Credit)?,
        ])
    });
    let postings: Option<Vec<[Posting; 2]>> = postings.collect();
    Some(postings?.into_iter().flatten().collect())
}

/// Compares the payment ids that batches used up with their answers.
pub(super) async fn check(db: &mut PgConnection) -> Result<(), Stop> {
    let mut batches = store::answered_batches(db);
    while let Some(batch) = batches.try_next().await? {
        let seq = batch.request_seq;
        let answer = match (&batch.event_type, &batch.body) {
            (Some(event_type), Some(body)) => read(event_type, body),
            _ => None,
        };
        let Some(answer) = answer else {
            return fault(format!(
                "batch {seq} has used payment ids up, and answer {seq} is not a batch's"
            ));
        };
        let stored = batch.ids.into_iter().zip(batch.statuses).zip(batch.reasons);
        let stored = stored.map(|((id, status), reason)| (id, status, reason));
        let stored: Vec<Used> = batch.items.into_iter().zip(stored).collect();
        let said = used(&answer);
        if stored == said {
            continue;
        }
        let mut pairs = stored.iter().zip(&said);
        let (item, _) = pairs
            .find(|(stored, said)| stored != said)
            .map_or_else(|| &stored[stored.len() - 1], |(stored, _)| stored);
        let number = item + 1;
        return fault(format!(
            "the payment ids that batch {seq} has used up are not those in its answer, from payment {number} on"
        ));
    }
    Ok(())
}

/// A used id: its place, and the id, the status and the reason.
type Used = (i16, (Uuid, String, Option<String>));

/// The ids that the answer says it used up: those of payments that it booked or refused for a reason of their own.
fn used(answer: &BatchAnswer) -> Vec<Used> {
    let items = (0_i16..).zip(&answer.payments);
    let used = items.filter_map(|(place, item)| {
        let is_new = is_settled(item)
            || item.status == PaymentStatus::Rejected && item.original.is_none() && !item.may_retry;
        let reason = item
            .reason
            .as_ref()
            .map(|reason| reason.code.as_str().to_owned());
        let id = item.payment_id.filter(|_| is_new)?;
        Some((place, (id.0, item.status.as_str().to_owned(), reason)))
    });
    used.collect()
}

fn is_settled(item: &ItemAnswer) -> bool {
    item.status == PaymentStatus::Settled
}

fn read(event_type: &str, body: &[u8]) -> Option<Box<BatchAnswer>> {
    match Answer::from_json(event_type, body) {
        Ok(Answer::Bulk(answer)) => Some(answer),
        Ok(_) | Err(_) => None,
    }
}
