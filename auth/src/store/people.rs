//! People.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

/// A person.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) id: Uuid,
    pub(crate) email: String,
    pub(crate) username: String,
    pub(crate) password_hash: String,
    pub(crate) is_active: bool,
    pub(crate) role: String,
    pub(crate) scopes: String,
    /// Tokens that were issued up to this second were revoked.
    pub(crate) tokens_valid_after: i64,
}

pub(crate) async fn user_by_email(
    db: impl PgExecutor<'_>,
    email: &str,
) -> sqlx::Result<Option<User>> {
    sqlx::query_as!(
        User,
        "select id, email, username, password_hash, is_active, role, scopes, tokens_valid_after from users where lower(email) = lower($1)",
        email,
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn user_by_id(db: impl PgExecutor<'_>, id: Uuid) -> sqlx::Result<Option<User>> {
    sqlx::query_as!(
        User,
        "select id, email, username, password_hash, is_active, role, scopes, tokens_valid_after from users where id = $1",
        id,
    )
    .fetch_optional(db)
    .await
}

/// The person, who stays so until the transaction ends, and the time of the database: whoever begins a session and whoever
/// locks somebody out come one after the other, and agree on when.
pub(crate) async fn lock(
    db: &mut PgConnection,
    id: Uuid,
) -> sqlx::Result<Option<(User, DateTime<Utc>)>> {
    let user = sqlx::query_as!(
        User,
        "select id, email, username, password_hash, is_active, role, scopes, tokens_valid_after
         from users where id = $1 for update",
        id,
    );
    let Some(user) = user.fetch_optional(&mut *db).await? else {
        return Ok(None);
    };
    // A statement of its own: in that one the time would be read before the lock was waited for.
    let now = sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#)
        .fetch_one(db)
        .await?;
    Ok(Some((user, now)))
}

/// The active administrators, who stay so until the transaction ends. They are locked in one order, before anybody else is.
pub(crate) async fn lock_admins(db: &mut PgConnection) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "select id from users where role = 'admin' and is_active order by id for update"
    )
    .fetch_all(db)
    .await
}

/// What [`upsert_user`] writes.
pub(crate) struct NewUser<'a> {
    pub(crate) id: Uuid,
    pub(crate) email: &'a str,
    pub(crate) username: &'a str,
    pub(crate) password_hash: &'a str,
    pub(crate) is_staff: bool,
    pub(crate) role: &'a str,
    pub(crate) scopes: &'a str,
}

/// A person who has the address already keeps the id, and stays inactive if inactive.
pub(crate) async fn upsert_user(
    db: impl PgExecutor<'_>,
    user: &NewUser<'_>,
    now: DateTime<Utc>,
) -> sqlx::Result<Uuid> {
    sqlx::query_scalar!(
        "insert into users (id, email, username, password_hash, is_active, is_staff, role, scopes, created_at, updated_at)
         values ($1, $2, $3, $4, true, $5, $6, $7, $8, $8)
         on conflict (lower(email)) do update set
            email = excluded.email, password_hash = excluded.password_hash, is_staff = excluded.is_staff,
            role = excluded.role, scopes = excluded.scopes, updated_at = excluded.updated_at
         returning id",
        user.id,
        user.email,
        user.username,
        user.password_hash,
        user.is_staff,
        user.role,
        user.scopes,
        now,
    )
    .fetch_one(db)
    .await
}

pub(crate) async fn note_login(
    db: impl PgExecutor<'_>,
    user: Uuid,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update users set last_login_at = $2 where id = $1",
        user,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Adds a person; `false` when somebody has the address.
pub(crate) async fn insert_user(
    db: impl PgExecutor<'_>,
    user: &NewUser<'_>,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let inserted = sqlx::query!(
        "insert into users (id, email, username, password_hash, is_active, is_staff, role, scopes, created_at, updated_at)
         values ($1, $2, $3, $4, true, $5, $6, $7, $8, $8) on conflict (lower(email)) do nothing",
        user.id,
        user.email,
        user.username,
        user.password_hash,
        user.is_staff,
        user.role,
        user.scopes,
        now,
    );
    Ok(inserted.execute(db).await?.rows_affected() == 1)
}

/// What [`insert_moved`] writes.
pub(crate) struct MovedUser<'a> {
    pub(crate) user: NewUser<'a>,
    pub(crate) is_active: bool,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) last_login_at: Option<DateTime<Utc>>,
}

/// Adds somebody of another system; `false` when somebody has the id or the address.
pub(crate) async fn insert_moved(
    db: impl PgExecutor<'_>,
    moved: &MovedUser<'_>,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let inserted = sqlx::query!(
        "insert into users
            (id, email, username, password_hash, is_active, is_staff, role, scopes, created_at, updated_at, last_login_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict do nothing",
        moved.user.id,
        moved.user.email,
        moved.user.username,
        moved.user.password_hash,
        moved.is_active,
        moved.user.is_staff,
        moved.user.role,
        moved.user.scopes,
        moved.created_at,
        now,
        moved.last_login_at,
    );
    Ok(inserted.execute(db).await?.rows_affected() == 1)
}

pub(crate) async fn set_active(
    db: impl PgExecutor<'_>,
    id: Uuid,
    is_active: bool,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update users set is_active = $2, updated_at = $3 where id = $1",
        id,
        is_active,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What [`set_role`] writes.
pub(crate) struct NewRole {
    pub(crate) role: &'static str,
    pub(crate) scopes: &'static str,
    pub(crate) is_staff: bool,
}

pub(crate) async fn set_role(
    db: impl PgExecutor<'_>,
    id: Uuid,
    new: &NewRole,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update users set role = $2, scopes = $3, is_staff = $4, updated_at = $5 where id = $1",
        id,
        new.role,
        new.scopes,
        new.is_staff,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub(crate) async fn set_password(
    db: impl PgExecutor<'_>,
    id: Uuid,
    password_hash: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update users set password_hash = $2, updated_at = $3 where id = $1",
        id,
        password_hash,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The iterations of the slowest PBKDF2 hash with which somebody may log in; 0 when nobody has one. An index knows.
pub(crate) async fn slowest_iterations(db: impl PgExecutor<'_>) -> sqlx::Result<u32> {
    let slowest = sqlx::query_scalar!(
        "select max(split_part(password_hash, '$', 2)::integer) from users
         where is_active and password_hash like 'pbkdf2_sha256$%'",
    );
    let slowest = slowest.fetch_one(db).await?.unwrap_or(0);
    Ok(u32::try_from(slowest).unwrap_or(0))
}

/// Replaces a hash of the same password; a hash that was changed meanwhile stays.
pub(crate) async fn rehash(
    db: impl PgExecutor<'_>,
    id: Uuid,
    old: &str,
    new: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update users set password_hash = $3, updated_at = $4 where id = $1 and password_hash = $2",
        id,
        old,
        new,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Tokens that are issued from now on are issued behind this second.
pub(crate) async fn set_tokens_valid_after(
    db: impl PgExecutor<'_>,
    id: Uuid,
    second: i64,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update users set tokens_valid_after = greatest(tokens_valid_after, $2) where id = $1",
        id,
        second,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A person of a list.
pub(crate) struct Listed {
    pub(crate) id: Uuid,
    pub(crate) email: String,
    pub(crate) username: String,
    pub(crate) role: String,
    pub(crate) scopes: String,
    pub(crate) is_active: bool,
    pub(crate) has_second_factor: bool,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) last_login_at: Option<DateTime<Utc>>,
}

/// People by address: those with this part in it, behind this address, at most `limit`.
pub(crate) async fn page(
    db: impl PgExecutor<'_>,
    part: Option<&str>,
    after: Option<&str>,
    limit: i64,
) -> sqlx::Result<Vec<Listed>> {
    sqlx::query_as!(
        Listed,
        r#"select id, email, username, role, scopes, is_active, created_at, last_login_at, exists (
               select from second_factors where user_id = users.id and confirmed_at is not null
           ) as "has_second_factor!"
           from users
           where ($1::text is null or position(lower($1) in lower(email)) > 0)
             and ($2::text is null or lower(email) > lower($2))
           order by lower(email) limit $3"#,
        part,
        after,
        limit,
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn listed(db: impl PgExecutor<'_>, id: Uuid) -> sqlx::Result<Option<Listed>> {
    sqlx::query_as!(
        Listed,
        r#"select id, email, username, role, scopes, is_active, created_at, last_login_at, exists (
               select from second_factors where user_id = users.id and confirmed_at is not null
           ) as "has_second_factor!"
           from users where id = $1"#,
        id,
    )
    .fetch_optional(db)
    .await
}
