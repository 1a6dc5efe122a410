//! All of auth's SQL, one statement per function, on the caller's connection.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

/// The channel on which the database announces a new service account.
pub(crate) const SERVICE_ACCOUNT_CHANNEL: &str = "service_account";

/// A person.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) id: Uuid,
    pub(crate) password_hash: String,
    pub(crate) is_active: bool,
    pub(crate) role: String,
    pub(crate) scopes: String,
}

pub(crate) async fn user_by_email(
    db: impl PgExecutor<'_>,
    email: &str,
) -> sqlx::Result<Option<User>> {
    sqlx::query_as!(
        User,
        "select id, password_hash, is_active, role, scopes from users where lower(email) = lower($1)",
        email,
    )
    .fetch_optional(db)
    .await
}

pub(crate) async fn user_by_id(db: impl PgExecutor<'_>, id: Uuid) -> sqlx::Result<Option<User>> {
    sqlx::query_as!(
        User,
        "select id, password_hash, is_active, role, scopes from users where id = $1",
        id,
    )
    .fetch_optional(db)
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

/// A program's account.
pub(crate) struct ServiceAccount {
    pub(crate) secret_hash: Vec<u8>,
    pub(crate) scopes: String,
    pub(crate) is_active: bool,
}

pub(crate) async fn service_account(
    db: impl PgExecutor<'_>,
    client_id: &str,
) -> sqlx::Result<Option<ServiceAccount>> {
    sqlx::query_as!(
        ServiceAccount,
        "select secret_hash, scopes, is_active from service_accounts where client_id = $1",
        client_id,
    )
    .fetch_optional(db)
    .await
}

/// Inactive ones too: what was addressed to them waits for them.
pub(crate) async fn service_account_ids(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!("select client_id from service_accounts order by client_id")
        .fetch_all(db)
        .await
}

/// An account that exists keeps its state and gets this secret and these scopes.
pub(crate) async fn upsert_service_account(
    db: impl PgExecutor<'_>,
    client_id: &str,
    secret_hash: &[u8],
    scopes: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into service_accounts (client_id, secret_hash, scopes, is_active, created_at, updated_at)
         values ($1, $2, $3, true, $4, $4)
         on conflict (client_id) do update set
            secret_hash = excluded.secret_hash, scopes = excluded.scopes, updated_at = excluded.updated_at
         where (service_accounts.secret_hash, service_accounts.scopes) <> (excluded.secret_hash, excluded.scopes)",
        client_id,
        secret_hash,
        scopes,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A signing key as it is kept.
pub(crate) struct StoredKey {
    pub(crate) kid: String,
    pub(crate) issuer: String,
    pub(crate) n: String,
    pub(crate) e: String,
    pub(crate) private_sealed: Vec<u8>,
}

pub(crate) async fn active_key(db: impl PgExecutor<'_>) -> sqlx::Result<Option<StoredKey>> {
    sqlx::query_as!(
        StoredKey,
        "select kid, issuer, n, e, private_sealed from signing_keys where state = 'active'",
    )
    .fetch_optional(db)
    .await
}

/// Does nothing when there is an active key already: the caller reads again and uses that one.
pub(crate) async fn insert_active_key(
    db: impl PgExecutor<'_>,
    key: &StoredKey,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into signing_keys (kid, issuer, n, e, private_sealed, state, created_at)
         values ($1, $2, $3, $4, $5, 'active', $6)
         on conflict (state) where state = 'active' do nothing",
        key.kid,
        key.issuer,
        key.n,
        key.e,
        key.private_sealed,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The public half of a key.
pub(crate) struct PublicKey {
    pub(crate) kid: String,
    pub(crate) n: String,
    pub(crate) e: String,
}

pub(crate) async fn public_keys(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<PublicKey>> {
    sqlx::query_as!(
        PublicKey,
        "select kid, n, e from signing_keys order by created_at desc, kid"
    )
    .fetch_all(db)
    .await
}

pub(crate) async fn announced_seq(db: impl PgExecutor<'_>, kid: &str) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!("select announced_seq from signing_keys where kid = $1", kid)
        .fetch_one(db)
        .await
}

pub(crate) async fn set_announced_seq(
    db: impl PgExecutor<'_>,
    kid: &str,
    sequence: i64,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update signing_keys set announced_seq = $2 where kid = $1",
        kid,
        sequence
    )
    .execute(db)
    .await?;
    Ok(())
}

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
