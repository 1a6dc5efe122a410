//! Payments as they are projected.

use chrono::{DateTime, Utc};
use common::ids::{ClientId, PaymentId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::values::{column, sequence};
use crate::state::{State, Status};

/// A request as it becomes a pending payment.
#[derive(Debug)]
pub(crate) struct RequestedRow {
    pub(crate) client_id: ClientId,
    pub(crate) payment_id: PaymentId,
    pub(crate) request_seq: u64,
    pub(crate) published_at: DateTime<Utc>,
    /// The request's body as sent.
    pub(crate) json: String,
}

/// An answer as it decides a payment.
#[derive(Debug)]
pub(crate) struct DecidedRow {
    pub(crate) client_id: ClientId,
    pub(crate) payment_id: PaymentId,
    pub(crate) request_seq: u64,
    /// Settled, rejected or retryable.
    pub(crate) state: State,
    /// When the request was published.
    pub(crate) published_at: DateTime<Utc>,
    pub(crate) decided_at: DateTime<Utc>,
    /// The answer's body as published.
    pub(crate) json: String,
}

/// A payment as it is projected.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) client_id: String,
    pub(crate) payment_id: Uuid,
    pub(crate) request_seq: i64,
    pub(crate) status: String,
    pub(crate) published_at: DateTime<Utc>,
    pub(crate) decided_at: Option<DateTime<Utc>>,
    /// While pending.
    pub(crate) request: Option<String>,
    /// From the answer on.
    pub(crate) answer: Option<String>,
    pub(crate) may_retry: bool,
}

impl Row {
    /// Where the payment stands.
    pub(crate) fn state(&self) -> State {
        let status = Status::from_word(&self.status).expect("constraint payment_status_known");
        match status {
            Status::Settled => State::Settled,
            Status::Rejected if self.may_retry => State::Retryable,
            Status::Rejected => State::Rejected,
            Status::Pending => State::Pending,
        }
    }

    /// Nothing later in the logs can change it.
    pub(crate) fn is_decided(&self) -> bool {
        self.answer.is_some() && !self.may_retry
    }
}

/// Which payments a list shows.
#[derive(Debug)]
pub(crate) struct Filter<'a> {
    pub(crate) client_id: &'a ClientId,
    /// `None` for any.
    pub(crate) status: Option<Status>,
    /// Only requests before this sequence; `None` for the newest.
    pub(crate) before: Option<u64>,
    pub(crate) limit: u32,
}

/// Adds pending payments. A later request takes the place of an earlier one as long as nothing is decided.
pub(crate) async fn insert_requested(
    db: &mut PgConnection,
    rows: &[RequestedRow],
) -> sqlx::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"insert into payment (client_id, payment_id, request_seq, status, published_at, request)
           select client_id, payment_id, request_seq, 'pending', published_at, request::json
           from unnest($1::text[], $2::uuid[], $3::bigint[], $4::timestamptz[], $5::text[])
             as requested (client_id, payment_id, request_seq, published_at, request)
           on conflict on constraint payment_pkey do update set
             request_seq = excluded.request_seq,
             status = excluded.status,
             published_at = excluded.published_at,
             decided_at = null,
             request = excluded.request,
             answer = null,
             may_retry = false
           where (payment.status = 'pending' or payment.may_retry)
             and payment.request_seq < excluded.request_seq"#,
        &column(rows, |row| row.client_id.as_str()) as _,
        &column(rows, |row| row.payment_id.0),
        &column(rows, |row| sequence(row.request_seq)),
        &column(rows, |row| row.published_at),
        &column(rows, |row| row.json.as_str()) as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Writes answers over what is known: a settled one over anything, a rejected one over what is not decided. An answer
/// that decides nothing goes only over its own request and earlier ones.
pub(crate) async fn upsert_decided(db: &mut PgConnection, rows: &[DecidedRow]) -> sqlx::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"insert into payment
             (client_id, payment_id, request_seq, status, published_at, decided_at, answer, may_retry)
           select unnest($1::text[]), unnest($2::uuid[]), unnest($3::bigint[]), unnest($4::text[]),
                  unnest($5::timestamptz[]), unnest($6::timestamptz[]), unnest($7::text[])::json, unnest($8::boolean[])
           on conflict on constraint payment_pkey do update set
             request_seq = excluded.request_seq,
             status = excluded.status,
             published_at = excluded.published_at,
             decided_at = excluded.decided_at,
             request = null,
             answer = excluded.answer,
             may_retry = excluded.may_retry
           where excluded.status = 'settled'
             or ((payment.status = 'pending' or payment.may_retry)
               and (not excluded.may_retry or payment.request_seq <= excluded.request_seq))"#,
        &column(rows, |row| row.client_id.as_str()) as _,
        &column(rows, |row| row.payment_id.0),
        &column(rows, |row| sequence(row.request_seq)),
        &column(rows, |row| row.state.status().as_str()) as _,
        &column(rows, |row| row.published_at),
        &column(rows, |row| row.decided_at),
        &column(rows, |row| row.json.as_str()) as _,
        &column(rows, |row| row.state == State::Retryable),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// One payment of a client.
pub(crate) async fn payment(
    db: &mut PgConnection,
    client_id: &ClientId,
    payment_id: PaymentId,
) -> sqlx::Result<Option<Row>> {
    sqlx::query_as!(
        Row,
        "select client_id, payment_id, request_seq, status, published_at, decided_at,
                request::text, answer::text, may_retry
         from payment where client_id = $1 and payment_id = $2",
        client_id.as_str(),
        payment_id.0,
    )
    .fetch_optional(db)
    .await
}

/// Payments of any client with this id, a few at most: each client chooses its ids itself.
pub(crate) async fn payments_with_id(
    db: &mut PgConnection,
    payment_id: PaymentId,
) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as!(
        Row,
        "select client_id, payment_id, request_seq, status, published_at, decided_at,
                request::text, answer::text, may_retry
         from payment where payment_id = $1 order by client_id limit 10",
        payment_id.0,
    )
    .fetch_all(db)
    .await
}

/// Payments of a client, newest first.
pub(crate) async fn payments(db: &mut PgConnection, filter: &Filter<'_>) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as!(
        Row,
        "select client_id, payment_id, request_seq, status, published_at, decided_at,
                request::text, answer::text, may_retry
         from payment
         where client_id = $1 and ($2::text is null or status = $2) and request_seq < $3
         order by request_seq desc
         limit $4",
        filter.client_id.as_str(),
        filter.status.map(Status::as_str),
        filter
            .before
            .and_then(|before| i64::try_from(before).ok())
            .unwrap_or(i64::MAX),
        i64::from(filter.limit),
    )
    .fetch_all(db)
    .await
}
