//! Reversals, and the payments that they are about.

#![expect(
    clippy::as_conversions,
    reason = "how sqlx is told that the elements of an array may be null"
)]

use common::ids::{ClientId, PaymentId};
use common::kinds::Answer;
use common::kinds::payment::PaymentAnswer;
use common::money::{Currency, Money};
use rust_decimal::Decimal;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::bulk::{self, smallint};
use super::values::{bigint, column, from_bigint, unreadable};
use crate::core::book::usage::{Moved, Original, PaymentKey};
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
        &column(reversals, |(_, reversal)| reversal.amount.amount()),
        &column(reversals, |(_, reversal)| item(reversal)) as &[Option<i16>],
    )
    .execute(db)
    .await
    .map(drop)
}

/// What was reversed of a payment before.
struct Reversed {
    client_id: String,
    payment_id: Uuid,
    request_seq: i64,
    item: Option<i16>,
    amount: Decimal,
    /// The last request that reversed some of it; 0 when none did.
    last: i64,
}

/// The payments with these names that were booked, with what was reversed of each.
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
    let rows = rows.fetch_all(db).await?.into_iter().filter_map(|row| {
        let is_transaction = row.subject.starts_with("settlement.transaction.");
        (!is_transaction).then_some(row)
    });
    let rows = rows.map(|row| {
        let Ok(Answer::Payment(answer)) = Answer::from_json(&row.event_type, &row.body) else {
            return Err(broken(row.request_seq));
        };
        let reversed = Reversed {
            client_id: row.client_id,
            payment_id: row.payment_id,
            request_seq: row.request_seq,
            item: None,
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
    let currency = answer.currency.as_deref().and_then(Currency::from_code);
    let currency = currency.ok_or_else(|| broken(seq))?;
    let amount = answer.amount.as_deref();
    let amount = amount.and_then(|text| Money::positive(text, currency).ok());
    let moved = Moved {
        debtor: answer.debtor_account.ok_or_else(|| broken(seq))?,
        creditor: answer.creditor_account.ok_or_else(|| broken(seq))?,
        money: amount.ok_or_else(|| broken(seq))?,
    };
    let item = reversed.item.map(u16::try_from).transpose();
    let original = Original {
        request_seq: from_bigint(seq)?,
        item: item.map_err(|_| broken(seq))?,
        moved,
        reversed: Money::stored(reversed.amount, currency),
        changed_seq: from_bigint(reversed.last)?,
    };
    Ok(((client, PaymentId(reversed.payment_id)), original))
}

fn broken(seq: i64) -> sqlx::Error {
    unreadable(format!("answer {seq} does not say what it booked"))
}

/// A payment, by the request that booked it and its place in that, if that was a batch.
pub(crate) type BookedBy = (u64, Option<u16>);

/// What was reversed of each payment.
pub(crate) async fn reversed_sums(
    db: impl PgExecutor<'_>,
) -> sqlx::Result<Vec<(BookedBy, Decimal)>> {
    let rows = sqlx::query!(
        r#"select original_seq, original_item, sum(amount) as "sum!" from reversal
           group by original_seq, original_item order by original_seq, original_item"#
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    rows.map(|row| {
        let item = row.original_item.map(u16::try_from).transpose();
        let item = item.map_err(|_| broken(row.original_seq))?;
        Ok(((from_bigint(row.original_seq)?, item), row.sum))
    })
    .collect()
}
