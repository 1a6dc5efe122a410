//! What was granted about a hold or payment later.

use common::ids::{ClientId, PaymentId};
use sqlx::PgConnection;

use super::payments::Row;
use super::values::{before, column};

/// A capture, void or reversal, and what it is about.
#[derive(Debug)]
pub(crate) struct FollowUpRow {
    /// The hold or payment.
    pub(crate) of: (ClientId, PaymentId),
    /// The capture, void or reversal.
    pub(crate) by: (ClientId, PaymentId),
}

/// Which follow-ups a list shows.
#[derive(Debug)]
pub(crate) struct FollowUpFilter<'a> {
    /// Whose hold or payment.
    pub(crate) of_client_id: &'a str,
    pub(crate) of_payment_id: PaymentId,
    /// Only those that this client asked for; `None` for anybody's.
    pub(crate) by: Option<&'a ClientId>,
    /// Only requests before this sequence; `None` for the newest.
    pub(crate) before: Option<u64>,
    pub(crate) limit: u32,
}

/// Adds follow-ups. What is read again is there already.
pub(crate) async fn insert_follow_ups(
    db: &mut PgConnection,
    rows: &[FollowUpRow],
) -> sqlx::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into follow_up (of_client_id, of_payment_id, client_id, payment_id)
         select * from unnest($1::text[], $2::uuid[], $3::text[], $4::uuid[])
         on conflict on constraint follow_up_pkey do nothing",
        &column(rows, |row| row.of.0.as_str()) as _,
        &column(rows, |row| row.of.1.0),
        &column(rows, |row| row.by.0.as_str()) as _,
        &column(rows, |row| row.by.1.0),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What was granted about a hold or payment, newest first.
pub(crate) async fn follow_ups(
    db: &mut PgConnection,
    filter: &FollowUpFilter<'_>,
) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as!(
        Row,
        "select client_id, payment_id, request_seq, status, published_at, decided_at,
                request::text, answer::text, may_retry, kind, remaining
         from follow_up join payment using (client_id, payment_id)
         where of_client_id = $1 and of_payment_id = $2 and ($3::text is null or client_id = $3) and request_seq < $4
         order by request_seq desc
         limit $5",
        filter.of_client_id,
        filter.of_payment_id.0,
        filter.by.map(ClientId::as_str),
        before(filter.before),
        i64::from(filter.limit),
    )
    .fetch_all(db)
    .await
}
