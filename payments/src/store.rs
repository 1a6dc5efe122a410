//! All SQL of the payments service. One statement per function, on the caller's connection.

use chrono::{DateTime, Utc};
use common::ids::{ClientId, PaymentId};
use sqlx::PgConnection;
use uuid::Uuid;

/// A batch of a log: the sequences of its first and its last message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    pub(crate) first: u64,
    pub(crate) last: u64,
}

/// A request as it becomes a pending payment.
#[derive(Debug)]
pub(crate) struct Requested {
    pub(crate) client_id: ClientId,
    pub(crate) payment_id: PaymentId,
    pub(crate) request_seq: u64,
    pub(crate) published_at: DateTime<Utc>,
    /// The request's body as sent.
    pub(crate) json: String,
}

/// What an answer says about its payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Decided: booked.
    Settled,
    /// Decided: the payment id is used up.
    Rejected,
    /// Not decided: the same payment may be sent again.
    Retryable,
}

impl Outcome {
    fn status(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Rejected | Self::Retryable => "rejected",
        }
    }
}

/// An answer as it decides a payment.
#[derive(Debug)]
pub(crate) struct Decided {
    pub(crate) client_id: ClientId,
    pub(crate) payment_id: PaymentId,
    pub(crate) request_seq: u64,
    pub(crate) outcome: Outcome,
    /// When the request was published.
    pub(crate) published_at: DateTime<Utc>,
    pub(crate) decided_at: DateTime<Utc>,
    /// The answer's body as published.
    pub(crate) json: String,
}

/// A public key that the ledger has noted.
#[derive(Debug)]
pub(crate) struct SigningKey {
    pub(crate) kid: String,
    pub(crate) issuer: String,
    pub(crate) n: String,
    pub(crate) e: String,
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
    /// Nothing that stands in the logs behind it can change it.
    pub(crate) fn is_decided(&self) -> bool {
        self.answer.is_some() && !self.may_retry
    }
}

/// Which payments a list shows.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    pub(crate) client_id: &'a ClientId,
    /// `None` for any.
    pub(crate) status: Option<&'a str>,
    /// Only requests before this sequence; `None` for the newest.
    pub(crate) before: Option<u64>,
    pub(crate) limit: u32,
}

/// The last sequence of this stream that is projected.
pub(crate) async fn cursor(db: &mut PgConnection, stream: &str) -> sqlx::Result<u64> {
    let seq = sqlx::query_scalar!("select seq from cursor where stream = $1", stream)
        .fetch_one(db)
        .await?;
    Ok(u64::try_from(seq).expect("constraint cursor_seq_not_negative"))
}

/// Moves the cursor over a batch; `false` when it is not where the batch begins.
pub(crate) async fn advance_cursor(
    db: &mut PgConnection,
    stream: &str,
    range: Range,
) -> sqlx::Result<bool> {
    let moved = sqlx::query!(
        "update cursor set seq = $2 where stream = $1 and seq = $3::bigint - 1",
        stream,
        sequence(range.last),
        sequence(range.first),
    )
    .execute(db)
    .await?;
    Ok(moved.rows_affected() == 1)
}

/// Adds pending payments. A later request takes the place of an earlier one as long as nothing is decided.
pub(crate) async fn insert_requested(
    db: &mut PgConnection,
    rows: &[Requested],
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

/// Writes answers over what is known: a settled one over anything, a rejected one over what is not decided, and one that
/// decides nothing only over its own request and earlier ones.
pub(crate) async fn upsert_decided(db: &mut PgConnection, rows: &[Decided]) -> sqlx::Result<()> {
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
        &column(rows, |row| row.outcome.status()) as _,
        &column(rows, |row| row.published_at),
        &column(rows, |row| row.decided_at),
        &column(rows, |row| row.json.as_str()) as _,
        &column(rows, |row| row.outcome == Outcome::Retryable),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Adds noted keys; a kid is its key's thumbprint, so one that is known can't be another key.
pub(crate) async fn insert_keys(db: &mut PgConnection, rows: &[SigningKey]) -> sqlx::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into signing_key (kid, issuer, n, e)
         select kid, issuer, n, e
         from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as noted (kid, issuer, n, e)
         on conflict on constraint signing_key_pkey do nothing",
        &column(rows, |row| storable(&row.kid)),
        &column(rows, |row| storable(&row.issuer)),
        &column(rows, |row| storable(&row.n)),
        &column(rows, |row| storable(&row.e)),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// All noted keys.
pub(crate) async fn keys(db: &mut PgConnection) -> sqlx::Result<Vec<SigningKey>> {
    sqlx::query_as!(SigningKey, "select kid, issuer, n, e from signing_key")
        .fetch_all(db)
        .await
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

/// Payments of a client, newest first.
pub(crate) async fn payments(db: &mut PgConnection, page: &Page<'_>) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as!(
        Row,
        "select client_id, payment_id, request_seq, status, published_at, decided_at,
                request::text, answer::text, may_retry
         from payment
         where client_id = $1 and ($2::text is null or status = $2) and request_seq < $3
         order by request_seq desc
         limit $4",
        page.client_id.as_str(),
        page.status,
        page.before
            .and_then(|before| i64::try_from(before).ok())
            .unwrap_or(i64::MAX),
        i64::from(page.limit),
    )
    .fetch_all(db)
    .await
}

/// One column of the rows, as PostgreSQL takes it.
fn column<'r, R, T>(rows: &'r [R], value: impl FnMut(&'r R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

/// PostgreSQL's texts hold no NUL, JSON's may.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn sequence(sequence: u64) -> i64 {
    i64::try_from(sequence)
        .expect("a broker that stores a million messages a second is there in 292 000 years")
}
