//! Tries at logins, as all instances of the service count them.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use crate::throttle::curve::Tries;

pub(crate) async fn tries(db: impl PgExecutor<'_>, key: &[u8]) -> sqlx::Result<Option<Tries>> {
    sqlx::query_as!(
        Tries,
        "select failures, since, locked_until, counted_until, known_until from login_tries where key = $1",
        key,
    )
    .fetch_optional(db)
    .await
}

/// The same, made if it is missing, and held until the transaction ends. A place is held before its account, an account before
/// an address, so nobody waits in a circle.
pub(crate) async fn hold_tries(
    db: impl PgExecutor<'_>,
    key: &[u8],
    now: DateTime<Utc>,
) -> sqlx::Result<Tries> {
    sqlx::query_as!(
        Tries,
        "insert into login_tries (key, failures, since, counted_until) values ($1, 0, $2, $2)
         on conflict (key) do update set key = excluded.key
         returning failures, since, locked_until, counted_until, known_until",
        key,
        now,
    )
    .fetch_one(db)
    .await
}

pub(crate) async fn put_tries(
    db: impl PgExecutor<'_>,
    key: &[u8],
    tries: &Tries,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into login_tries (key, failures, since, locked_until, counted_until, known_until)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (key) do update set
            failures = excluded.failures, since = excluded.since, locked_until = excluded.locked_until,
            counted_until = excluded.counted_until, known_until = excluded.known_until",
        key,
        tries.failures,
        tries.since,
        tries.locked_until,
        tries.counted_until,
        tries.known_until,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub(crate) async fn delete_tries(db: impl PgExecutor<'_>, key: &[u8]) -> sqlx::Result<()> {
    sqlx::query!("delete from login_tries where key = $1", key)
        .execute(db)
        .await?;
    Ok(())
}

/// Until when an address's share is used, held until the transaction ends.
pub(crate) async fn hold_paid_until(
    db: impl PgExecutor<'_>,
    key: &[u8],
    now: DateTime<Utc>,
) -> sqlx::Result<DateTime<Utc>> {
    sqlx::query_scalar!(
        "insert into login_addresses (key, paid_until) values ($1, $2)
         on conflict (key) do update set key = excluded.key
         returning paid_until",
        key,
        now,
    )
    .fetch_one(db)
    .await
}

pub(crate) async fn put_paid_until(
    db: impl PgExecutor<'_>,
    key: &[u8],
    paid_until: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update login_addresses set paid_until = $2 where key = $1",
        key,
        paid_until,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Deletes some of the rows that no longer matter. How many of the tries it were.
pub(crate) async fn forget(
    db: impl PgExecutor<'_>,
    now: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<u64> {
    let deleted = sqlx::query!(
        "with addresses as (
             delete from login_addresses
             where key in (select key from login_addresses where paid_until <= $1 limit $2)
         )
         delete from login_tries where key in (
             select key from login_tries
             where counted_until <= $1 and (known_until is null or known_until <= $1) limit $2
         )",
        now,
        limit,
    )
    .execute(db)
    .await?;
    Ok(deleted.rows_affected())
}
