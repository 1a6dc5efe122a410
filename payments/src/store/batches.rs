//! Batches of payments as they are projected.

use chrono::{DateTime, Utc};
use common::ids::{BatchId, ClientId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::values::{before, column, sequence};

/// A request as it becomes a pending batch.
#[derive(Debug)]
pub(crate) struct RequestedBatch {
    pub(crate) client_id: ClientId,
    pub(crate) batch_id: BatchId,
    pub(crate) request_seq: u64,
    pub(crate) published_at: DateTime<Utc>,
}

/// An answer to a batch.
#[derive(Debug)]
pub(crate) struct AnsweredBatch {
    pub(crate) requested: RequestedBatch,
    /// Whether its payments were looked at.
    pub(crate) is_answered: bool,
    pub(crate) decided_at: DateTime<Utc>,
    pub(crate) counts: Counts,
    /// The answer's body as published.
    pub(crate) json: String,
}

/// How many payments of a batch had which outcome.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) settled: i32,
    pub(crate) rejected: i32,
    pub(crate) duplicates: i32,
}

/// A batch as it is projected.
#[derive(Debug)]
pub(crate) struct BatchRow {
    pub(crate) client_id: String,
    pub(crate) batch_id: Uuid,
    pub(crate) request_seq: i64,
    pub(crate) status: String,
    pub(crate) published_at: DateTime<Utc>,
    pub(crate) decided_at: Option<DateTime<Utc>>,
    pub(crate) settled: Option<i32>,
    pub(crate) rejected: Option<i32>,
    pub(crate) duplicates: Option<i32>,
    /// `None` while pending, and in a list.
    pub(crate) answer: Option<String>,
}

/// Adds pending batches, over one of the same name of which nothing was decided.
pub(crate) async fn insert_requested_batches(
    db: &mut PgConnection,
    rows: &[RequestedBatch],
) -> sqlx::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"insert into payment_batch (client_id, batch_id, request_seq, status, published_at)
           select unnest($1::text[]), unnest($2::uuid[]), unnest($3::bigint[]), 'pending', unnest($4::timestamptz[])
           on conflict on constraint payment_batch_pkey do update set
             request_seq = excluded.request_seq,
             status = excluded.status,
             published_at = excluded.published_at,
             decided_at = null,
             settled = null,
             rejected = null,
             duplicates = null,
             answer = null
           where payment_batch.status <> 'answered' and payment_batch.request_seq < excluded.request_seq"#,
        &column(rows, |row| row.client_id.as_str()) as _,
        &column(rows, |row| row.batch_id.0),
        &column(rows, |row| sequence(row.request_seq)),
        &column(rows, |row| row.published_at),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Writes answers over what is not answered: the first answer that looked at the payments stays.
pub(crate) async fn upsert_answered_batches(
    db: &mut PgConnection,
    rows: &[AnsweredBatch],
) -> sqlx::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let status = |row: &AnsweredBatch| {
        if row.is_answered {
            "answered"
        } else {
            "rejected"
        }
    };
    sqlx::query!(
        r#"insert into payment_batch (client_id, batch_id, request_seq, status, published_at, decided_at, answer, settled,
                                      rejected, duplicates)
           select unnest($1::text[]), unnest($2::uuid[]), unnest($3::bigint[]), unnest($4::text[]),
                  unnest($5::timestamptz[]), unnest($6::timestamptz[]), unnest($7::text[])::json, unnest($8::integer[]),
                  unnest($9::integer[]), unnest($10::integer[])
           on conflict on constraint payment_batch_pkey do update set
             request_seq = excluded.request_seq,
             status = excluded.status,
             published_at = excluded.published_at,
             decided_at = excluded.decided_at,
             answer = excluded.answer,
             settled = excluded.settled,
             rejected = excluded.rejected,
             duplicates = excluded.duplicates
           where payment_batch.status <> 'answered'
             and (excluded.status = 'answered' or payment_batch.request_seq <= excluded.request_seq)"#,
        &column(rows, |row| row.requested.client_id.as_str()) as _,
        &column(rows, |row| row.requested.batch_id.0),
        &column(rows, |row| sequence(row.requested.request_seq)),
        &column(rows, status) as _,
        &column(rows, |row| row.requested.published_at),
        &column(rows, |row| row.decided_at),
        &column(rows, |row| row.json.as_str()) as _,
        &column(rows, |row| row.counts.settled),
        &column(rows, |row| row.counts.rejected),
        &column(rows, |row| row.counts.duplicates),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A batch of this client, or without one of any: the caller's own first.
pub(crate) async fn batch(
    db: &mut PgConnection,
    batch_id: BatchId,
    client_id: Option<&ClientId>,
    own: &ClientId,
) -> sqlx::Result<Option<BatchRow>> {
    sqlx::query_as!(
        BatchRow,
        "select client_id, batch_id, request_seq, status, published_at, decided_at, settled, rejected, duplicates, answer::text
         from payment_batch where batch_id = $1 and ($2::text is null or client_id = $2)
         order by client_id <> $3, client_id limit 1",
        batch_id.0,
        client_id.map(ClientId::as_str),
        own.as_str(),
    )
    .fetch_optional(db)
    .await
}

/// Batches of a client, newest first.
pub(crate) async fn batches(
    db: &mut PgConnection,
    client_id: &ClientId,
    before_seq: Option<u64>,
    rows_max: u32,
) -> sqlx::Result<Vec<BatchRow>> {
    sqlx::query_as!(
        BatchRow,
        "select client_id, batch_id, request_seq, status, published_at, decided_at, settled, rejected, duplicates,
                null as answer
         from payment_batch where client_id = $1 and request_seq < $2
         order by request_seq desc limit $3",
        client_id.as_str(),
        before(before_seq),
        i64::from(rows_max),
    )
    .fetch_all(db)
    .await
}
