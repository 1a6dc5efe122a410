//! Signing keys.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

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
