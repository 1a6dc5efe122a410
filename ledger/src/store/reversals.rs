//! Reversals, and the payments and transactions that they are about.

#![expect(
    clippy::as_conversions,
    reason = "how sqlx is told that the elements of an array may be null"
)]

use std::sync::Arc;

use common::ids::{ClientId, PaymentId};
use common::kinds::Answer;
use common::kinds::payment::PaymentAnswer;
use common::kinds::posting::Posting;
use common::kinds::transaction::Leg;
use common::money::{Currency, Money};
use rust_decimal::Decimal;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::bulk::{self, smallint};
use super::values::{bigint, column, from_bigint, unreadable};
use crate::core::book::usage::{Booking, Moved, Original, PaymentKey};
use crate::core::change::Reversal;

/// Adds reversals, each with its request.
pub(super) async fn insert_reversals(
    db: impl PgExecutor<'_>,
    reversals: &[(u64, &Reversal)],
) -> sqlx::Result<()> {
    let item = |reversal: &Reversal| reversal.original.item.map(smallint);
    sqlx::query!(
        "insert into reversal (request_seq, original_seq, amount, original_item)
         select * from unnest($1::bigint[], $2::bigint[], $3::numeric[], $4::smallint[])",
        &column(reversals, |(seq, _)| bigint(*seq)),
        &column(reversals, |(_, reversal)| bigint(
            reversal.original.request_seq
        )),
        &column(reversals, |(_, reversal)| reversal
            .amount
            .map(|amount| amount.amount())) as &[Option<Decimal>],
        &column(reversals, |(_, reversal)| item(reversal)) as &[Option<i16>],
    )
    .execute(db)
    .await
    .map(drop)
}

/// What was booked under a name, and what was reversed of it before.
struct Reversed {
    client_id: String,
    payment_id: Uuid,
    request_seq: i64,
    item: Option<i16>,
    is_transaction: bool,
    amount: Decimal,
    /// The last request that reversed some of it; 0 when none did.
    last: i64,
}

/// What was booked under these names, with what was reversed of each.
pub(crate) async fn originals(
    db: &mut PgConnection,
    keys: &[PaymentKey],
) -> sqlx::Result<Vec<(PaymentKey, Original)>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let mut originals = alone(&mut *db, keys).await?;
    originals.extend(of_batches(db, keys).await?);
    Ok(originals)
}

/// Those that came alone.
async fn alone(
    db: &mut PgConnection,
    keys: &[PaymentKey],
) -> sqlx::Result<Vec<(PaymentKey, Original)>> {
    let rows = sqlx::query!(
        r#"select client_id as "client_id!", payment_id as "payment_id!", answer.request_seq, subject, event_type, body,
                  coalesce(reversed.amount, 0) as "reversed!", coalesce(reversed.last, 0) as "last!"
           from answer join unnest($1::text[], $2::uuid[]) as asked (client, payment)
             on client_id = asked.client and payment_id = asked.payment
           left join lateral (
               select sum(amount) as amount, max(reversal.request_seq) as last from reversal
               where original_seq = answer.request_seq and original_item is null
           ) as reversed on true
           where event_type in ('payment.settled.v1', 'payment.captured.v1')"#,
        &column(keys, |(client, _)| client.as_str()) as &[&str],
        &column(keys, |(_, payment)| payment.0),
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    let rows = rows.map(|row| {
        let Ok(Answer::Payment(answer)) = Answer::from_json(&row.event_type, &row.body) else {
            return Err(broken(row.request_seq));
        };
        let is_transaction = row.subject.starts_with("settlement.transaction.");
        let reversed = Reversed {
            client_id: row.client_id,
            payment_id: row.payment_id,
            request_seq: row.request_seq,
            item: None,
            is_transaction,
            amount: row.reversed,
            last: row.last,
        };
        original(reversed, &answer)
    });
    rows.collect()
}

/// Those that came in batches.
async fn of_batches(
    db: &mut PgConnection,
    keys: &[PaymentKey],
) -> sqlx::Result<Vec<(PaymentKey, Original)>> {
    let rows = sqlx::query!(
        r#"select client_id, payment_id, batch_payment.request_seq, item,
                  coalesce(reversed.amount, 0) as "reversed!", coalesce(reversed.last, 0) as "last!"
           from batch_payment join unnest($1::text[], $2::uuid[]) as asked (client, payment)
             on client_id = asked.client and payment_id = asked.payment
           left join lateral (
               select sum(amount) as amount, max(reversal.request_seq) as last from reversal
               where original_seq = batch_payment.request_seq and original_item = item
           ) as reversed on true
           where status = 'settled'"#,
        &column(keys, |(client, _)| client.as_str()) as &[&str],
        &column(keys, |(_, payment)| payment.0),
    );
    let rows = rows.fetch_all(&mut *db).await?;
    let places = column(&rows, |row| (row.request_seq, row.item));
    let answers = bulk::payment_answers(db, &places).await?;
    let originals = rows.into_iter().zip(answers).map(|(row, answer)| {
        let reversed = Reversed {
            client_id: row.client_id,
            payment_id: row.payment_id,
            request_seq: row.request_seq,
            item: Some(row.item),
            is_transaction: false,
            amount: row.reversed,
            last: row.last,
        };
        original(reversed, &answer)
    });
    originals.collect()
}

fn original(reversed: Reversed, answer: &PaymentAnswer) -> sqlx::Result<(PaymentKey, Original)> {
    let seq = reversed.request_seq;
    let client: ClientId = reversed.client_id.parse().map_err(|_| broken(seq))?;
    let booking = if reversed.is_transaction {
        let legs = answer
            .postings
            .iter()
            .map(leg)
            .collect::<Option<Arc<[Leg]>>>();
        let is_reversed = reversed.last > 0;
        let legs = legs.filter(|legs| !legs.is_empty());
        legs.map(|legs| Booking::Transaction { legs, is_reversed })
    } else {
        moved(answer).map(|moved| Booking::Payment {
            moved,
            reversed: Money::stored(reversed.amount, moved.money.currency()),
        })
    };
    let item = reversed.item.map(u16::try_from).transpose();
    let original = Original {
        request_seq: from_bigint(seq)?,
        item: item.map_err(|_| broken(seq))?,
        booking: booking.ok_or_else(|| broken(seq))?,
        changed_seq: from_bigint(reversed.last)?,
    };
    Ok(((client, PaymentId(reversed.payment_id)), original))
}

fn moved(answer: &PaymentAnswer) -> Option<Moved> {
    let currency = Currency::from_code(answer.currency.as_deref()?)?;
    Some(Moved {
        debtor: answer.debtor_account?,
        creditor: answer.creditor_account?,
        money: Money::positive(answer.amount.as_deref()?, currency).ok()?,
    })
}

fn leg(posting: &Posting) -> Option<Leg> {
    let currency = Currency::from_code(posting.currency.as_deref()?)?;
    Some(Leg {
        account: posting.account,
        direction: posting.direction,
        money: Money::positive(&posting.amount, currency).ok()?,
    })
}

fn broken(seq: i64) -> sqlx::Error {
    unreadable(format!("answer {seq} does not say what it booked"))
}

/// A payment, by the request that booked it and its place in that, if that was a batch.
pub(crate) type BookedBy = (u64, Option<u16>);

/// What the reversals of one payment or transaction come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReversedSum {
    /// Of a payment.
    pub(crate) amount: Decimal,
    /// How often it was reversed whole, as a transaction is.
    pub(crate) whole: i64,
}

/// What was reversed of each payment and transaction.
pub(crate) async fn reversed_sums(
    db: impl PgExecutor<'_>,
) -> sqlx::Result<Vec<(BookedBy, ReversedSum)>> {
    let rows = sqlx::query!(
        r#"select original_seq, original_item, coalesce(sum(amount), 0) as "amount!",
                  count(*) filter (where amount is null) as "whole!"
           from reversal group by original_seq, original_item order by original_seq, original_item"#
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    rows.map(|row| {
        let item = row.original_item.map(u16::try_from).transpose();
        let item = item.map_err(|_| broken(row.original_seq))?;
        let sum = ReversedSum {
            amount: row.amount,
            whole: row.whole,
        };
        Ok(((from_bigint(row.original_seq)?, item), sum))
    })
    .collect()
}
