//! Service accounts.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

/// The channel on which the database announces a new service account.
pub(crate) const SERVICE_ACCOUNT_CHANNEL: &str = "service_account";

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

/// Whether a service account may act.
pub(crate) async fn is_active(db: impl PgExecutor<'_>, client_id: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select from service_accounts where client_id = $1 and is_active) as "is_active!""#,
        client_id,
    )
    .fetch_one(db)
    .await
}
