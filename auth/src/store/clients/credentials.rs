//! What service accounts prove themselves with.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use sqlx::types::Json;
use uuid::Uuid;

/// A living credential, or nothing, beside its account: what a login needs in one answer.
pub(crate) struct Candidate {
    pub(crate) scopes: String,
    pub(crate) is_active: bool,
    pub(crate) audience: Option<String>,
    pub(crate) payment_max: Option<Json<BTreeMap<String, String>>>,
    pub(crate) accounts: Option<Vec<Uuid>>,
    pub(crate) tokens_valid_after: i64,
    /// The database's clock before it looked, in seconds since 1970.
    pub(crate) asked_at: i64,
    pub(crate) id: Option<Uuid>,
    pub(crate) secret_sha256: Option<Vec<u8>>,
    pub(crate) n: Option<String>,
    pub(crate) e: Option<String>,
    pub(crate) last_used_at: Option<DateTime<Utc>>,
}

/// A service account beside each of its living credentials; one row without, when it has none.
pub(crate) async fn candidates(
    db: impl PgExecutor<'_>,
    client_id: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<Candidate>> {
    sqlx::query_as!(
        Candidate,
        r#"select scopes, is_active, audience, payment_max as "payment_max: Json<BTreeMap<String, String>>", accounts,
                  tokens_valid_after, floor(extract(epoch from statement_timestamp()))::bigint as "asked_at!",
                  c.id as "id?", c.secret_sha256, c.n, c.e, c.last_used_at
           from service_accounts a
           left join client_credentials c
               on c.client_id = a.client_id and c.deleted_at is null and (c.expires_at is null or c.expires_at > $2)
           where a.client_id = $1 and a.deleted_at is null"#,
        client_id,
        now,
    )
    .fetch_all(db)
    .await
}

/// A credential, without what it proves.
pub(crate) struct Credential {
    pub(crate) id: Uuid,
    pub(crate) client_id: String,
    pub(crate) kind: String,
    pub(crate) kid: Option<String>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) expires_at: Option<DateTime<Utc>>,
    pub(crate) last_used_at: Option<DateTime<Utc>>,
}

/// The credentials of these accounts that were not deleted, the oldest first.
pub(crate) async fn of_clients(
    db: impl PgExecutor<'_>,
    client_ids: &[String],
) -> sqlx::Result<Vec<Credential>> {
    sqlx::query_as!(
        Credential,
        "select id, client_id, kind, kid, created_at, expires_at, last_used_at from client_credentials
         where client_id = any($1) and deleted_at is null order by created_at, id",
        client_ids,
    )
    .fetch_all(db)
    .await
}

/// What [`insert`] writes: a secret's hash, or a key.
pub(crate) struct NewCredential<'a> {
    pub(crate) id: Uuid,
    pub(crate) client_id: &'a str,
    pub(crate) kind: &'static str,
    pub(crate) secret_sha256: Option<&'a [u8]>,
    pub(crate) kid: Option<&'a str>,
    pub(crate) n: Option<&'a str>,
    pub(crate) e: Option<&'a str>,
    pub(crate) expires_at: Option<DateTime<Utc>>,
}

/// Adds a credential. False when there are two already. The account must be locked.
pub(crate) async fn insert(
    db: impl PgExecutor<'_>,
    new: &NewCredential<'_>,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let inserted = sqlx::query!(
        "insert into client_credentials (id, client_id, slot, kind, secret_sha256, kid, n, e, expires_at, created_at)
         select $1, $2, slot, $3, $4, $5, $6, $7, $8, $9
         from (values (1::smallint), (2::smallint)) free (slot)
         where not exists (
             select from client_credentials taken
             where taken.client_id = $2 and taken.slot = free.slot and taken.deleted_at is null)
         order by slot limit 1",
        new.id,
        new.client_id,
        new.kind,
        new.secret_sha256,
        new.kid,
        new.n,
        new.e,
        new.expires_at,
        now,
    )
    .execute(db)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Ends a credential. False when the account has no such living one.
pub(crate) async fn delete(
    db: impl PgExecutor<'_>,
    client_id: &str,
    id: Uuid,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let deleted = sqlx::query!(
        "update client_credentials set deleted_at = $3 where id = $2 and client_id = $1 and deleted_at is null",
        client_id,
        id,
        now,
    )
    .execute(db)
    .await?;
    Ok(deleted.rows_affected() == 1)
}

/// Ends every secret of an account but this one; the ids of those that ended.
pub(crate) async fn delete_other_secrets(
    db: impl PgExecutor<'_>,
    client_id: &str,
    secret_sha256: &[u8],
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "update client_credentials set deleted_at = $3
         where client_id = $1 and kind = 'secret' and secret_sha256 <> $2 and deleted_at is null
         returning id",
        client_id,
        secret_sha256,
        now,
    )
    .fetch_all(db)
    .await
}

/// Whether an account has this secret.
pub(crate) async fn has_secret(
    db: impl PgExecutor<'_>,
    client_id: &str,
    secret_sha256: &[u8],
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select from client_credentials
               where client_id = $1 and secret_sha256 = $2 and deleted_at is null and expires_at is null
           ) as "has!""#,
        client_id,
        secret_sha256,
    )
    .fetch_one(db)
    .await
}

/// Notes that a credential was used.
pub(crate) async fn note_use(
    db: impl PgExecutor<'_>,
    id: Uuid,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update client_credentials set last_used_at = $2 where id = $1 and (last_used_at is null or last_used_at < $2)",
        id,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}
