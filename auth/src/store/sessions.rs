//! Families of refresh tokens: one for each login.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

/// A family of refresh tokens, as it begins.
pub(crate) struct NewFamily<'a> {
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) jti: &'a str,
    pub(crate) ends_at: DateTime<Utc>,
}

pub(crate) async fn insert_family(
    db: impl PgExecutor<'_>,
    family: &NewFamily<'_>,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into refresh_families (id, user_id, jti, generation, created_at, refreshed_at, ends_at)
         values ($1, $2, $3, 0, $4, $4, $5)",
        family.id,
        family.user_id,
        family.jti,
        now,
        family.ends_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Whose family was advanced, and when it ends for good.
pub(crate) struct Advanced {
    pub(crate) user_id: Uuid,
    pub(crate) ends_at: DateTime<Utc>,
}

/// Puts `successor` in the place of `jti`, if that is the good token. `None`: it is not, or the family is over.
pub(crate) async fn advance_family(
    db: impl PgExecutor<'_>,
    family: Uuid,
    jti: &str,
    successor: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<Advanced>> {
    sqlx::query_as!(
        Advanced,
        "update refresh_families set jti = $3, generation = generation + 1, refreshed_at = $4
         where id = $1 and jti = $2 and revoked_at is null and ends_at > $4
         returning user_id, ends_at",
        family,
        jti,
        successor,
        now,
    )
    .fetch_optional(db)
    .await
}

/// Ends a family because a used token came again. The user, unless it had been ended before.
pub(crate) async fn revoke_reused_family(
    db: impl PgExecutor<'_>,
    family: Uuid,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar!(
        "update refresh_families set revoked_at = $2, revoked_because = 'reused'
         where id = $1 and revoked_at is null
         returning user_id",
        family,
        now,
    )
    .fetch_optional(db)
    .await
}

/// Whether a login still counts: neither it nor its person was ended.
pub(crate) async fn is_alive(db: impl PgExecutor<'_>, family: Uuid) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select from refresh_families join users on users.id = user_id
               where refresh_families.id = $1 and revoked_at is null and is_active
           ) as "is_alive!""#,
        family,
    )
    .fetch_one(db)
    .await
}
