//! The payments of batches: the ids that they used up, and what they booked.

#![expect(
    clippy::as_conversions,
    reason = "how sqlx is told that the elements of an array may be null"
)]

use std::collections::HashMap;

use common::ids::{ClientId, PaymentId};
use common::kinds::Answer;
use common::kinds::payment::{PaymentAnswer, PaymentStatus};
use common::reason::Code;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::copy::Rows;
use super::values::{bigint, column, digest, from_bigint, unreadable};
use crate::core::batch::Decided;
use crate::core::book::usage::{PaymentKey, UsedPaymentId};

/// Whether the bank has had a batch: until then no payment id is looked for here.
pub(crate) async fn has_batches(db: impl PgExecutor<'_>) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"select exists (select from batch_payment) as "has!""#)
        .fetch_one(db)
        .await
}

/// A row of `batch_payment`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BatchPaymentRow {
    payment_id: Uuid,
    client_id: String,
    request_seq: i64,
    item: i16,
    content: Vec<u8>,
    status: String,
    reason: Option<String>,
}

impl BatchPaymentRow {
    fn of((client, id): &PaymentKey, used: &UsedPaymentId) -> Option<Self> {
        Some(Self {
            payment_id: id.0,
            client_id: client.to_string(),
            request_seq: bigint(used.request_seq),
            item: smallint(used.item?),
            content: used.content.to_vec(),
            status: used.status.as_str().to_owned(),
            reason: used.reason.map(|code| code.as_str().to_owned()),
        })
    }

    fn key(&self) -> sqlx::Result<PaymentKey> {
        let client: Result<ClientId, _> = self.client_id.parse();
        let client = client.map_err(|_| self.broken("client"))?;
        Ok((client, PaymentId(self.payment_id)))
    }

    fn broken(&self, what: &str) -> sqlx::Error {
        let Self {
            request_seq, item, ..
        } = self;
        unreadable(format!(
            "payment {item} of batch {request_seq} has an unknown {what}"
        ))
    }

    /// The batch, and which payment of it, from 1.
    pub(crate) fn number(&self) -> (i64, i16) {
        (self.request_seq, self.item + 1)
    }

    /// Whether it is about the same payment id.
    pub(crate) fn is_same_id(&self, other: &Self) -> bool {
        (self.payment_id, &self.client_id) == (other.payment_id, &other.client_id)
    }

    /// What it says, for people.
    pub(crate) fn facts(&self) -> String {
        let Self {
            payment_id,
            client_id,
            request_seq,
            item,
            content,
            status,
            reason,
        } = self;
        let number = item + 1;
        format!(
            "{client_id}'s {payment_id}, payment {number} of batch {request_seq}, {status}, reason {reason:?}, content \
             {content:02x?}"
        )
    }

    /// Which payment of its batch it is.
    fn place(&self) -> sqlx::Result<(u64, u16)> {
        let item = u16::try_from(self.item).map_err(|_| self.broken("place"))?;
        Ok((from_bigint(self.request_seq)?, item))
    }
}

/// The rows that the payments of these batches must be.
pub(crate) fn batch_payment_rows(decided: &[Decided]) -> Vec<BatchPaymentRow> {
    let used = decided.iter().flat_map(Decided::used_payments);
    used.filter_map(|(key, used)| BatchPaymentRow::of(key, used))
        .collect()
}

pub(super) fn smallint(item: u16) -> i16 {
    i16::try_from(item).expect("a batch has at most a thousand payments")
}

/// The rows with these names, as far as they exist.
async fn batch_payments(
    db: impl PgExecutor<'_>,
    ids: &[PaymentKey],
) -> sqlx::Result<Vec<BatchPaymentRow>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query_as!(
        BatchPaymentRow,
        "select payment_id, client_id, request_seq, item, content, status, reason
         from batch_payment join unnest($1::text[], $2::uuid[]) as asked (client, payment)
         on client_id = asked.client and payment_id = asked.payment",
        &column(ids, |(client, _)| client.as_str()) as &[&str],
        &column(ids, |(_, payment)| payment.0),
    );
    rows.fetch_all(db).await
}

/// The stored rows with the names of these, in the same order; those that are missing are left out.
pub(crate) async fn batch_payments_like(
    db: impl PgExecutor<'_>,
    rows: &[BatchPaymentRow],
) -> sqlx::Result<Vec<BatchPaymentRow>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let stored = sqlx::query_as!(
        BatchPaymentRow,
        "select found.*
         from unnest($1::text[], $2::uuid[]) with ordinality as asked (client, payment, place)
         cross join lateral (
             select payment_id, client_id, request_seq, item, content, status, reason
             from batch_payment where client_id = asked.client and payment_id = asked.payment limit 1
         ) as found order by place",
        &column(rows, |row| row.client_id.as_str()) as &[&str],
        &column(rows, |row| row.payment_id),
    );
    stored.fetch_all(db).await
}

/// How many payment ids batches have used up.
pub(crate) async fn batch_payments_count(db: impl PgExecutor<'_>) -> sqlx::Result<u64> {
    let count = sqlx::query_scalar!(r#"select count(*) as "count!" from batch_payment"#);
    from_bigint(count.fetch_one(db).await?)
}

/// Those of these payment ids that batches have used up.
pub(crate) async fn ids_used_in_batches(
    db: impl PgExecutor<'_>,
    ids: &[PaymentKey],
) -> sqlx::Result<HashMap<PaymentKey, UsedPaymentId>> {
    let rows = batch_payments(db, ids).await?.into_iter().map(|row| {
        let (request_seq, item) = row.place()?;
        let status = PaymentStatus::from_word(&row.status).ok_or_else(|| row.broken("status"))?;
        let used = UsedPaymentId {
            request_seq,
            item: Some(item),
            content: digest(row.content.clone())?,
            status,
            reason: row.reason.as_deref().and_then(Code::from_word),
            booked: None,
        };
        Ok((row.key()?, used))
    });
    rows.collect()
}

/// The payment ids that batches of payments use up, as they are written; `None` if there are none.
pub(super) fn copied_batch_payments(decided: &[Decided]) -> Option<Rows> {
    let used = decided.iter().flat_map(Decided::used_payments);
    let mut used: Vec<_> = used
        .filter_map(|(key, used)| Some((key, used, used.item?)))
        .collect();
    if used.is_empty() {
        return None;
    }
    // Neighbours go to the same page of the index.
    used.sort_unstable_by_key(|((_, payment), ..)| *payment);
    let mut rows = Rows::new(
        "batch_payment (payment_id, client_id, request_seq, item, content, status, reason)",
    );
    for ((client, payment), used, item) in used {
        rows.row(7)
            .field(payment.0)
            .field(client.as_str())
            .field(bigint(used.request_seq))
            .field(smallint(item))
            .field(&used.content[..])
            .field(used.status.as_str())
            .field(used.reason.map(Code::as_str));
    }
    Some(rows)
}

/// What the answers to these batches say, by their sequence.
async fn bodies(
    db: impl PgExecutor<'_>,
    seqs: &[i64],
) -> sqlx::Result<HashMap<i64, common::kinds::bulk::BatchAnswer>> {
    let rows = sqlx::query!(
        "select request_seq, event_type, body from answer where request_seq = any($1)",
        seqs
    );
    let rows = rows.fetch_all(db).await?.into_iter().map(|row| {
        match Answer::from_json(&row.event_type, &row.body) {
            Ok(Answer::Bulk(answer)) => Ok((row.request_seq, *answer)),
            _ => Err(unreadable(format!(
                "answer {} is not a batch's",
                row.request_seq
            ))),
        }
    });
    rows.collect()
}

/// What became of these payments, as if each had come alone.
pub(super) async fn payment_answers(
    db: impl PgExecutor<'_>,
    places: &[(i64, i16)],
) -> sqlx::Result<Vec<PaymentAnswer>> {
    let mut seqs = column(places, |(seq, _)| *seq);
    seqs.sort_unstable();
    seqs.dedup();
    let answers = bodies(db, &seqs).await?;
    let answers = places.iter().map(|(seq, item)| {
        let broken = || unreadable(format!("answer {seq} has no payment {item}"));
        let answer = answers.get(seq).ok_or_else(broken)?;
        let item = usize::try_from(*item).map_err(|_| broken())?;
        let item = answer.payments.get(item).ok_or_else(broken)?;
        Ok(answer.payment(item))
    });
    answers.collect()
}
