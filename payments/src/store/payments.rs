//! Payments as they are projected.

use chrono::{DateTime, Utc};
use common::ids::{ClientId, PaymentId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::values::{before, column, sequence};
use crate::state::{State, Status};

/// What was asked for, if it is no payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RowKind {
    Hold,
    Capture,
    Void,
    Reversal,
    Transaction,
}

impl RowKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Capture => "capture",
            Self::Void => "void",
            Self::Reversal => "reversal",
            Self::Transaction => "transaction",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        [
            Self::Hold,
            Self::Capture,
            Self::Void,
            Self::Reversal,
            Self::Transaction,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == word)
    }
}

/// What became of a hold or payment that was granted before.
#[derive(Debug)]
pub(crate) struct ProgressRow {
    pub(crate) client_id: ClientId,
    pub(crate) payment_id: PaymentId,
    /// Its new state, unless it stays in the one that it has.
    pub(crate) state: Option<State>,
    /// What can still be captured or reversed.
    pub(crate) remaining: Option<String>,
}

/// A request as it becomes a pending payment.
#[derive(Debug)]
pub(crate) struct RequestedRow {
    pub(crate) client_id: ClientId,
    pub(crate) payment_id: PaymentId,
    pub(crate) request_seq: u64,
    pub(crate) published_at: DateTime<Utc>,
    pub(crate) kind: Option<RowKind>,
    /// The request's body as sent.
    pub(crate) json: String,
}

/// An answer as it decides a payment.
#[derive(Debug)]
pub(crate) struct DecidedRow {
    pub(crate) client_id: ClientId,
    pub(crate) payment_id: PaymentId,
    pub(crate) request_seq: u64,
    /// Granted, rejected or retryable.
    pub(crate) state: State,
    /// When the request was published.
    pub(crate) published_at: DateTime<Utc>,
    pub(crate) decided_at: DateTime<Utc>,
    pub(crate) kind: Option<RowKind>,
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
    /// What was asked for; `None` for a payment.
    pub(crate) kind: Option<String>,
    /// What can still be captured or reversed, once some of it was.
    pub(crate) remaining: Option<String>,
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
            Status::Authorised => State::Authorised,
            Status::Captured => State::Captured,
            Status::Voided => State::Voided,
            Status::Reversed => State::Reversed,
            Status::Expired => State::Expired,
        }
    }

    /// What was asked for, if it is no payment.
    pub(crate) fn kind(&self) -> Option<RowKind> {
        let kind = |word: &String| RowKind::from_word(word).expect("constraint payment_kind_known");
        self.kind.as_ref().map(kind)
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
    /// And of that sequence, only payments before this one.
    pub(crate) before_payment: Option<PaymentId>,
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
        r#"insert into payment (client_id, payment_id, request_seq, status, published_at, request, kind)
           select client_id, payment_id, request_seq, 'pending', published_at, request::json, kind
           from unnest($1::text[], $2::uuid[], $3::bigint[], $4::timestamptz[], $5::text[], $6::text[])
             as requested (client_id, payment_id, request_seq, published_at, request, kind)
           on conflict on constraint payment_pkey do update set
             request_seq = excluded.request_seq,
             status = excluded.status,
             published_at = excluded.published_at,
             decided_at = null,
             request = excluded.request,
             answer = null,
             may_retry = false,
             kind = excluded.kind
           where (payment.status = 'pending' or payment.may_retry)
             and payment.request_seq < excluded.request_seq"#,
        &column(rows, |row| row.client_id.as_str()) as _,
        &column(rows, |row| row.payment_id.0),
        &column(rows, |row| sequence(row.request_seq)),
        &column(rows, |row| row.published_at),
        &column(rows, |row| row.json.as_str()) as _,
        &column(rows, |row| row.kind.map(RowKind::as_str)) as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Writes answers over what is known: one that grants over what was not granted, a rejected one over what is not decided.
/// An answer that decides nothing goes only over its own request and earlier ones.
pub(crate) async fn upsert_decided(db: &mut PgConnection, rows: &[DecidedRow]) -> sqlx::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"insert into payment
             (client_id, payment_id, request_seq, status, published_at, decided_at, answer, may_retry, kind)
           select unnest($1::text[]), unnest($2::uuid[]), unnest($3::bigint[]), unnest($4::text[]),
                  unnest($5::timestamptz[]), unnest($6::timestamptz[]), unnest($7::text[])::json, unnest($8::boolean[]),
                  unnest($9::text[])
           on conflict on constraint payment_pkey do update set
             request_seq = excluded.request_seq,
             status = excluded.status,
             published_at = excluded.published_at,
             decided_at = excluded.decided_at,
             request = null,
             answer = excluded.answer,
             may_retry = excluded.may_retry,
             kind = excluded.kind
           where (excluded.status <> 'rejected' and payment.status in ('pending', 'rejected', excluded.status))
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
        &column(rows, |row| row.kind.map(RowKind::as_str)) as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Writes what became of holds and payments: each row that stands where that is possible.
pub(crate) async fn update_progress(
    db: &mut PgConnection,
    rows: &[ProgressRow],
) -> sqlx::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "update payment set status = coalesce(progress.status, payment.status), remaining = progress.remaining
         from unnest($1::text[], $2::uuid[], $3::text[], $4::text[])
             as progress (client_id, payment_id, status, remaining)
         where payment.payment_id = progress.payment_id and payment.client_id = progress.client_id
           and case
                   when progress.status is null then payment.status in ('authorised', 'settled') or payment.kind = 'capture'
                   when progress.status = 'reversed' then payment.status in ('settled', 'captured', 'reversed')
                   else payment.status in ('authorised', progress.status)
               end",
        &column(rows, |row| row.client_id.as_str()) as _,
        &column(rows, |row| row.payment_id.0),
        &column(rows, |row| row.state.map(|state| state.status().as_str())) as _,
        &column(rows, |row| row.remaining.as_deref()) as _,
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
                request::text, answer::text, may_retry, kind, remaining
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
                request::text, answer::text, may_retry, kind, remaining
         from payment where payment_id = $1 order by client_id limit 10",
        payment_id.0,
    )
    .fetch_all(db)
    .await
}

/// Payments of a client, newest first.
pub(crate) async fn payments(db: &mut PgConnection, filter: &Filter<'_>) -> sqlx::Result<Vec<Row>> {
    match filter.status {
        Some(status) if status != Status::Settled => payments_in(db, filter, status).await,
        Some(_) | None => payments_of(db, filter).await,
    }
}

/// Those in a state that few are in, by an index of their own.
async fn payments_in(
    db: &mut PgConnection,
    filter: &Filter<'_>,
    status: Status,
) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as!(
        Row,
        "select client_id, payment_id, request_seq, status, published_at, decided_at,
                request::text, answer::text, may_retry, kind, remaining
         from payment
         where client_id = $1 and status = $2 and status <> 'settled' and request_seq < $3
         order by request_seq desc
         limit $4",
        filter.client_id.as_str(),
        status.as_str(),
        before(filter.before),
        i64::from(filter.limit),
    )
    .fetch_all(db)
    .await
}

async fn payments_of(db: &mut PgConnection, filter: &Filter<'_>) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as!(
        Row,
        "select client_id, payment_id, request_seq, status, published_at, decided_at,
                request::text, answer::text, may_retry, kind, remaining
         from payment
         where client_id = $1 and ($2::text is null or status = $2)
           and request_seq <= $3 and (request_seq < $3 or payment_id < $5)
         order by request_seq desc, payment_id desc
         limit $4",
        filter.client_id.as_str(),
        filter.status.map(Status::as_str),
        before(filter.before),
        i64::from(filter.limit),
        filter.before_payment.map(|id| id.0),
    )
    .fetch_all(db)
    .await
}
