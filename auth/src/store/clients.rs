//! Service accounts.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use sqlx::types::Json;
use uuid::Uuid;

pub(crate) mod assertions;
pub(crate) mod credentials;

/// The channel on which the database announces a new service account.
pub(crate) const SERVICE_ACCOUNT_CHANNEL: &str = "service_account";

/// A program's account, as it is administered.
pub(crate) struct ServiceAccount {
    pub(crate) client_id: String,
    pub(crate) name: Option<String>,
    pub(crate) scopes: String,
    pub(crate) audience: Option<String>,
    pub(crate) payment_max: Option<Json<BTreeMap<String, String>>>,
    pub(crate) accounts: Option<Vec<Uuid>>,
    pub(crate) is_active: bool,
    pub(crate) created_at: DateTime<Utc>,
}

/// The account, unless it was deleted.
pub(crate) async fn service_account(
    db: impl PgExecutor<'_>,
    client_id: &str,
) -> sqlx::Result<Option<ServiceAccount>> {
    sqlx::query_as!(
        ServiceAccount,
        r#"select client_id, name, scopes, audience, payment_max as "payment_max: Json<BTreeMap<String, String>>",
                  accounts, is_active, created_at
           from service_accounts where client_id = $1 and deleted_at is null"#,
        client_id,
    )
    .fetch_optional(db)
    .await
}

/// A page of the accounts that were not deleted, in the order of their ids.
pub(crate) async fn service_accounts(
    db: impl PgExecutor<'_>,
    after: &str,
    limit: i64,
) -> sqlx::Result<Vec<ServiceAccount>> {
    sqlx::query_as!(
        ServiceAccount,
        r#"select client_id, name, scopes, audience, payment_max as "payment_max: Json<BTreeMap<String, String>>",
                  accounts, is_active, created_at
           from service_accounts where client_id > $1 and deleted_at is null order by client_id limit $2"#,
        after,
        limit,
    )
    .fetch_all(db)
    .await
}

/// Inactive and deleted ones too: what was addressed to them waits for them.
pub(crate) async fn service_account_ids(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!("select client_id from service_accounts order by client_id")
        .fetch_all(db)
        .await
}

/// What [`insert`] writes.
pub(crate) struct NewAccount<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) name: Option<&'a str>,
    pub(crate) scopes: &'a str,
    pub(crate) audience: Option<&'a str>,
    pub(crate) payment_max: Option<&'a BTreeMap<String, String>>,
    pub(crate) accounts: Option<&'a [Uuid]>,
}

/// Makes an account. False when the id is taken.
pub(crate) async fn insert(
    db: impl PgExecutor<'_>,
    account: &NewAccount<'_>,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let inserted = sqlx::query!(
        "insert into service_accounts
            (client_id, name, scopes, audience, payment_max, accounts, is_active, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, true, $7, $7)
         on conflict (client_id) do nothing",
        account.client_id,
        account.name,
        account.scopes,
        account.audience,
        account.payment_max.map(Json) as _,
        account.accounts,
        now,
    )
    .execute(db)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// An account that exists keeps its state and gets these scopes.
pub(crate) async fn upsert(
    db: impl PgExecutor<'_>,
    client_id: &str,
    scopes: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into service_accounts (client_id, scopes, is_active, created_at, updated_at)
         values ($1, $2, true, $3, $3)
         on conflict (client_id) do update set scopes = excluded.scopes, updated_at = excluded.updated_at
         where service_accounts.scopes <> excluded.scopes",
        client_id,
        scopes,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Locks an account for a change. Whether it is active; `None` when there is none, or it was deleted.
pub(crate) async fn lock(db: impl PgExecutor<'_>, client_id: &str) -> sqlx::Result<Option<bool>> {
    sqlx::query_scalar!(
        "select is_active from service_accounts where client_id = $1 and deleted_at is null for update",
        client_id,
    )
    .fetch_optional(db)
    .await
}

/// The last second, since 1970, in which a token of the account may have been issued: so many behind the database's clock,
/// or one behind its last revocation, since tokens within that one's second were issued ahead.
pub(crate) async fn issued_until(
    db: impl PgExecutor<'_>,
    client_id: &str,
    seconds: i64,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select greatest(floor(extract(epoch from clock_timestamp()))::bigint + $2, tokens_valid_after + 1) as "second!"
           from service_accounts where client_id = $1"#,
        client_id,
        seconds,
    )
    .fetch_one(db)
    .await
}

pub(crate) async fn activate(
    db: impl PgExecutor<'_>,
    client_id: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update service_accounts set is_active = true, updated_at = $2 where client_id = $1",
        client_id,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Ends what the account may do; its tokens up to `issued_until` were revoked.
pub(crate) async fn deactivate(
    db: impl PgExecutor<'_>,
    client_id: &str,
    issued_until: i64,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update service_accounts
         set is_active = false, tokens_valid_after = greatest(tokens_valid_after, $2), updated_at = $3
         where client_id = $1",
        client_id,
        issued_until,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Marks an inactive account as deleted.
pub(crate) async fn delete(
    db: impl PgExecutor<'_>,
    client_id: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update service_accounts set deleted_at = $2, updated_at = $2 where client_id = $1",
        client_id,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Whether a token of a service account still counts, by its credential (if it names one) and its `iat`.
pub(crate) async fn still_counts(
    db: impl PgExecutor<'_>,
    client_id: &str,
    credential: Option<Uuid>,
    issued_at: i64,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select from service_accounts a
               where client_id = $1 and is_active and tokens_valid_after < $3
                 and ($2::uuid is null or exists (
                     select from client_credentials c where c.id = $2 and c.client_id = $1 and c.deleted_at is null))
           ) as "counts!""#,
        client_id,
        credential,
        issued_at,
    )
    .fetch_one(db)
    .await
}

/// Whether there is an active service account of this name.
pub(crate) async fn is_active(db: impl PgExecutor<'_>, client_id: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select from service_accounts where client_id = $1 and is_active
           ) as "is_active!""#,
        client_id,
    )
    .fetch_one(db)
    .await
}

/// Whether there is a service account of this name that was not deleted.
pub(crate) async fn exists(db: impl PgExecutor<'_>, client_id: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select from service_accounts where client_id = $1 and deleted_at is null
           ) as "exists!""#,
        client_id,
    )
    .fetch_one(db)
    .await
}
