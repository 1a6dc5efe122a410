//! Signed assertions that were used.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

/// Uses an assertion. False when it was used before.
pub(crate) async fn spend(
    db: impl PgExecutor<'_>,
    client_id: &str,
    jti: &str,
    expires_at: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let spent = sqlx::query!(
        "insert into client_assertions (client_id, jti, expires_at) values ($1, $2, $3) on conflict do nothing",
        client_id,
        jti,
        expires_at,
    )
    .execute(db)
    .await?;
    Ok(spent.rows_affected() == 1)
}

/// Forgets some that expired before `now`. Those that another instance forgets at this moment are left to it.
pub(crate) async fn prune(db: impl PgExecutor<'_>, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from client_assertions where (client_id, jti) in (
             select client_id, jti from client_assertions where expires_at < $1
             limit 100 for update skip locked)",
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}
