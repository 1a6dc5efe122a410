//! Invitations and resets: codes that are used once.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

/// A code that somebody was given.
pub(crate) struct OneTimeCode {
    /// Of an invitation: whom it makes.
    pub(crate) email: Option<String>,
    pub(crate) role: Option<String>,
    /// Of a reset: who sets a new password.
    pub(crate) user_id: Option<Uuid>,
}

/// The code, if it is good at this time.
pub(crate) async fn good(
    db: impl PgExecutor<'_>,
    sha256: &[u8],
    now: DateTime<Utc>,
) -> sqlx::Result<Option<OneTimeCode>> {
    sqlx::query_as!(
        OneTimeCode,
        "select email, role, user_id from one_time_codes
         where code_sha256 = $1 and ended_at is null and expires_at > $2",
        sha256,
        now,
    )
    .fetch_optional(db)
    .await
}

/// Uses a code up. `false` when it is no longer good: of several at once, one uses it.
pub(crate) async fn use_up(
    db: impl PgExecutor<'_>,
    sha256: &[u8],
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let used = sqlx::query!(
        "update one_time_codes set ended_at = $2
         where code_sha256 = $1 and ended_at is null and expires_at > $2",
        sha256,
        now,
    );
    Ok(used.execute(db).await?.rows_affected() == 1)
}

/// Keeps an invitation.
pub(crate) async fn insert_invitation(
    db: impl PgExecutor<'_>,
    sha256: &[u8],
    email: &str,
    role: &str,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into one_time_codes (code_sha256, email, role, created_at, expires_at) values ($1, $2, $3, $4, $5)",
        sha256,
        email,
        role,
        now,
        expires_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Keeps a reset.
pub(crate) async fn insert_reset(
    db: impl PgExecutor<'_>,
    sha256: &[u8],
    user: Uuid,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into one_time_codes (code_sha256, user_id, created_at, expires_at) values ($1, $2, $3, $4)",
        sha256,
        user,
        now,
        expires_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Ends the earlier invitations to an address: the last one says which role.
pub(crate) async fn end_invitations(
    db: impl PgExecutor<'_>,
    email: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update one_time_codes set ended_at = $2 where lower(email) = lower($1) and ended_at is null",
        email,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Ends the earlier resets of a person.
pub(crate) async fn end_resets(
    db: impl PgExecutor<'_>,
    user: Uuid,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update one_time_codes set ended_at = $2 where user_id = $1 and ended_at is null",
        user,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}
