//! The reversals: each is that of an answer, of the payment or transaction and the amount that it says.

use common::kinds::Answer;
use futures::TryStreamExt as _;
use rust_decimal::Decimal;
use sqlx::PgConnection;

use super::fault;
use crate::audit::error::Stop;
use crate::store::{self, ReversalRow};

/// Compares every reversal with its answer, and every answer that reverses something with its reversal.
pub(super) async fn check(db: &mut PgConnection) -> Result<(), Stop> {
    let mut rows = store::reversals_with_answers(db);
    while let Some(row) = rows.try_next().await? {
        if let Some(difference) = differs(&row) {
            return fault(difference);
        }
    }
    Ok(())
}

fn differs(row: &ReversalRow) -> Option<String> {
    let seq = row.request_seq;
    let answer = row.body.as_deref();
    let answer = answer.and_then(|body| Answer::from_json(store::REVERSED, body).ok());
    let said = match answer {
        Some(Answer::Payment(answer)) => answer.reverses.map(|of| (of, answer.amount)),
        Some(_) | None => None,
    };
    let Some((of, amount)) = said else {
        return Some(format!(
            "reversal {seq} is in the database, but answer {seq} reverses nothing"
        ));
    };
    if !row.is_stored {
        return Some(format!(
            "reversal {seq} is missing: answer {seq} says that it was booked"
        ));
    }
    let (client, payment) = (of.client_id.as_str(), of.payment_id.0);
    if row.client_id.as_deref() != Some(client) || row.payment_id != Some(payment) {
        return Some(format!(
            "reversal {seq} is of another payment in the database than its answer says: {client}'s {payment}"
        ));
    }
    let is_as_said = match (&amount, row.amount) {
        (Some(said), Some(stored)) => said.parse() == Ok::<Decimal, _>(stored),
        (said, stored) => said.is_none() && stored.is_none(),
    };
    (!is_as_said).then(|| {
        let stored = row
            .amount
            .map_or_else(|| "none".to_owned(), |stored| stored.to_string());
        let said = amount.as_deref().unwrap_or("none");
        format!(
            "the amount of reversal {seq} is {stored} in the database, but {said} in its answer"
        )
    })
}
