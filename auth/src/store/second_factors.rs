//! Second factors and recovery codes. The person's row is locked by whoever writes here.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

/// What there is of a person's second factor.
pub(crate) struct SecondFactor {
    pub(crate) secret_sealed: Vec<u8>,
    pub(crate) is_confirmed: bool,
    pub(crate) last_step: Option<i64>,
}

pub(crate) async fn get(db: impl PgExecutor<'_>, user: Uuid) -> sqlx::Result<Option<SecondFactor>> {
    sqlx::query_as!(
        SecondFactor,
        r#"select secret_sealed, confirmed_at is not null as "is_confirmed!", last_step
           from second_factors where user_id = $1"#,
        user,
    )
    .fetch_optional(db)
    .await
}

/// Every secret as it is sealed.
pub(crate) async fn all_sealed(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<(Uuid, Vec<u8>)>> {
    let rows = sqlx::query!("select user_id, secret_sealed from second_factors order by user_id");
    let rows = rows.fetch_all(db).await?.into_iter();
    Ok(rows.map(|row| (row.user_id, row.secret_sealed)).collect())
}

/// The secret as it is sealed from now on, unless the person has made another meanwhile.
pub(crate) async fn reseal(
    db: impl PgExecutor<'_>,
    user: Uuid,
    before: &[u8],
    after: &[u8],
) -> sqlx::Result<()> {
    sqlx::query!(
        "update second_factors set secret_sealed = $3 where user_id = $1 and secret_sealed = $2",
        user,
        before,
        after,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Whether log-in asks the person for one.
pub(crate) async fn is_on(db: impl PgExecutor<'_>, user: Uuid) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select from second_factors where user_id = $1 and confirmed_at is not null
           ) as "is_on!""#,
        user,
    )
    .fetch_one(db)
    .await
}

/// A new secret, in the place of one that was never confirmed. `false` when there is one that was.
pub(crate) async fn start(
    db: impl PgExecutor<'_>,
    user: Uuid,
    secret_sealed: &[u8],
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let started = sqlx::query!(
        "insert into second_factors (user_id, secret_sealed, started_at) values ($1, $2, $3)
         on conflict (user_id) do update set secret_sealed = excluded.secret_sealed, started_at = excluded.started_at
         where second_factors.confirmed_at is null",
        user,
        secret_sealed,
        now,
    );
    Ok(started.execute(db).await?.rows_affected() == 1)
}

pub(crate) async fn confirm(
    db: impl PgExecutor<'_>,
    user: Uuid,
    step: i64,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update second_factors set confirmed_at = $3, last_step = $2 where user_id = $1",
        user,
        step,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The step's code, and those before it, are used up.
pub(crate) async fn use_step(db: impl PgExecutor<'_>, user: Uuid, step: i64) -> sqlx::Result<()> {
    sqlx::query!(
        "update second_factors set last_step = $2 where user_id = $1",
        user,
        step,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub(crate) async fn insert_recovery_codes(
    db: impl PgExecutor<'_>,
    user: Uuid,
    sha256: &[Vec<u8>],
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into recovery_codes (user_id, code_sha256) select $1, unnest($2::bytea[])",
        user,
        sha256,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// No recovery code that is left is good any more.
pub(crate) async fn end_recovery_codes(
    db: impl PgExecutor<'_>,
    user: Uuid,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update recovery_codes set used_at = $2 where user_id = $1 and used_at is null",
        user,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Uses a recovery code up. `false` when it is no good one.
pub(crate) async fn use_recovery_code(
    db: impl PgExecutor<'_>,
    user: Uuid,
    sha256: &[u8],
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let used = sqlx::query!(
        "update recovery_codes set used_at = $3 where user_id = $1 and code_sha256 = $2 and used_at is null",
        user,
        sha256,
        now,
    );
    Ok(used.execute(db).await?.rows_affected() == 1)
}

/// Recovery codes that are still good.
pub(crate) async fn recovery_codes_left(db: impl PgExecutor<'_>, user: Uuid) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "left!" from recovery_codes where user_id = $1 and used_at is null"#,
        user,
    )
    .fetch_one(db)
    .await
}

/// Deletes a second factor with its codes, confirmed or not. `false` when there is none.
pub(crate) async fn delete(db: impl PgExecutor<'_>, user: Uuid) -> sqlx::Result<bool> {
    let deleted = sqlx::query!("delete from second_factors where user_id = $1", user);
    Ok(deleted.execute(db).await?.rows_affected() == 1)
}
