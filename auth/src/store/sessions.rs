//! Sessions: one for each login. That of a person who refreshes is a family of refresh tokens.

use chrono::{DateTime, Utc};
use common::token::Target;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::events::{self, Event, names};
use super::revocations;

/// A session, as it begins.
pub(crate) struct NewSession {
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) ends_at: DateTime<Utc>,
}

/// Begins a session; `false` when there is one of this id.
pub(crate) async fn insert_session(
    db: impl PgExecutor<'_>,
    session: &NewSession,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let inserted = sqlx::query!(
        "insert into refresh_families (id, user_id, generation, created_at, refreshed_at, ends_at)
         values ($1, $2, 0, $3, $3, $4) on conflict (id) do nothing",
        session.id,
        session.user_id,
        now,
        session.ends_at,
    );
    Ok(inserted.execute(db).await?.rows_affected() == 1)
}

/// Where a family is.
pub(crate) struct Family {
    pub(crate) user_id: Uuid,
    pub(crate) generation: i32,
    /// When this generation was issued.
    pub(crate) refreshed_at: DateTime<Utc>,
    pub(crate) ends_at: DateTime<Utc>,
    pub(crate) is_over: bool,
    /// Of a family that has no generations yet.
    pub(crate) jti: Option<String>,
}

/// The family, which stays as it is until the transaction ends: two uses of one token can't both be the first.
pub(crate) async fn family_for_update(
    db: impl PgExecutor<'_>,
    id: Uuid,
) -> sqlx::Result<Option<Family>> {
    sqlx::query_as!(
        Family,
        r#"select user_id, generation, refreshed_at, ends_at, revoked_at is not null as "is_over!", jti
           from refresh_families where id = $1 for update"#,
        id,
    )
    .fetch_optional(db)
    .await
}

/// Begins the next generation.
pub(crate) async fn advance_family(
    db: impl PgExecutor<'_>,
    id: Uuid,
    generation: i32,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update refresh_families set generation = $2, jti = null, refreshed_at = $3 where id = $1",
        id,
        generation,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Ends a session, if it goes on: its refresh tokens are over, its access tokens are revoked, and auditors hear of it. The
/// revocation; `None` when it was over.
pub(crate) async fn end(
    db: &mut PgConnection,
    id: Uuid,
    because: &'static str,
    actor: Option<&str>,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<Uuid>> {
    let ended = sqlx::query_scalar!(
        "update refresh_families set revoked_at = $2, revoked_because = $3
         where id = $1 and revoked_at is null returning user_id",
        id,
        now,
        because,
    );
    let Some(user_id) = ended.fetch_optional(&mut *db).await? else {
        return Ok(None);
    };
    let target = Target::Session {
        sid: id.to_string(),
    };
    let revocation = revocations::request(&mut *db, &target, because, now).await?;
    let event = Event {
        what: names::SESSION_ENDED,
        actor,
        about: Some(&user_id.to_string()),
        detail: serde_json::json!({"session": id, "because": because}),
    };
    events::record(&mut *db, &event, now).await?;
    Ok(Some(revocation))
}

/// Ends every session of a person, quietly: whoever does so revokes the person's tokens too.
pub(crate) async fn end_all(
    db: impl PgExecutor<'_>,
    user_id: Uuid,
    because: &'static str,
    now: DateTime<Utc>,
) -> sqlx::Result<u64> {
    let ended = sqlx::query!(
        "update refresh_families set revoked_at = $2, revoked_because = $3
         where user_id = $1 and revoked_at is null",
        user_id,
        now,
        because,
    );
    Ok(ended.execute(db).await?.rows_affected())
}

/// Ends, quietly, every session whose last refresh token was issued at this time: by a key that is revoked.
pub(crate) async fn end_refreshed(
    db: impl PgExecutor<'_>,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    because: &'static str,
    now: DateTime<Utc>,
) -> sqlx::Result<u64> {
    let ended = sqlx::query!(
        "update refresh_families set revoked_at = $3, revoked_because = $4
         where revoked_at is null and refreshed_at between $1 and $2",
        from,
        until,
        now,
        because,
    );
    Ok(ended.execute(db).await?.rows_affected())
}

/// A login that goes on.
pub(crate) struct Session {
    pub(crate) id: Uuid,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) refreshed_at: DateTime<Utc>,
    pub(crate) ends_at: DateTime<Utc>,
}

/// A person's, the newest first.
pub(crate) async fn of_user(
    db: impl PgExecutor<'_>,
    user_id: Uuid,
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<Session>> {
    sqlx::query_as!(
        Session,
        "select id, created_at, refreshed_at, ends_at from refresh_families
         where user_id = $1 and revoked_at is null and ends_at > $2 order by created_at desc, id limit 1000",
        user_id,
        now,
    )
    .fetch_all(db)
    .await
}

/// Whose session it is.
pub(crate) async fn owner(db: impl PgExecutor<'_>, id: Uuid) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar!("select user_id from refresh_families where id = $1", id)
        .fetch_optional(db)
        .await
}

/// Whether a login still counts: neither it nor its person was ended.
pub(crate) async fn is_alive(db: impl PgExecutor<'_>, id: Uuid) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select from refresh_families join users on users.id = user_id
               where refresh_families.id = $1 and revoked_at is null and ends_at > now() and is_active
           ) as "is_alive!""#,
        id,
    )
    .fetch_one(db)
    .await
}

/// Whether a token of another system counts: its person is here and active, was not locked out since it was issued, and
/// a refresh token was not used.
pub(crate) async fn is_good_imported(
    db: impl PgExecutor<'_>,
    user_id: Uuid,
    issued_at: i64,
    family: Option<Uuid>,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select from users where id = $1 and is_active and tokens_valid_after < $2
                 and not exists (select from refresh_families where refresh_families.id = $3)
           ) as "is_good!""#,
        user_id,
        issued_at,
        family,
    )
    .fetch_one(db)
    .await
}

/// Whether a refresh token is the good one of a login that still counts. One without a generation names its `jti`.
pub(crate) async fn is_good(
    db: impl PgExecutor<'_>,
    id: Uuid,
    generation: Option<i64>,
    jti: Option<&str>,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select from refresh_families join users on users.id = user_id
               where refresh_families.id = $1 and revoked_at is null and is_active
                 and case when $2::bigint is null then jti = $3 else generation = $2 end
           ) as "is_good!""#,
        id,
        generation,
        jti,
    )
    .fetch_one(db)
    .await
}
