//! Signing keys.

use chrono::{DateTime, Utc};
use common::token::Target;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::revocations;

/// The channel on which the database announces that a key is new or changed.
pub(crate) const SIGNING_KEY_CHANNEL: &str = "signing_key";

/// A signing key as it is kept.
#[derive(Clone)]
pub(crate) struct StoredKey {
    pub(crate) kid: String,
    pub(crate) issuer: String,
    pub(crate) n: String,
    pub(crate) e: String,
    /// The private half, while something may need it.
    pub(crate) private_sealed: Option<Vec<u8>>,
    pub(crate) state: String,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) activates_at: Option<DateTime<Utc>>,
    pub(crate) activated_at: Option<DateTime<Utc>>,
    pub(crate) retiring_at: Option<DateTime<Utc>>,
    pub(crate) retires_at: Option<DateTime<Utc>>,
    pub(crate) revoked_at: Option<DateTime<Utc>>,
    /// Where the ledger has noted it.
    pub(crate) announced_seq: Option<i64>,
    pub(crate) is_imported: bool,
}

/// Every key there ever was, the oldest first.
pub(crate) async fn all(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<StoredKey>> {
    sqlx::query_as!(
        StoredKey,
        "select kid, issuer, n, e, private_sealed, state, created_at, activates_at, activated_at, retiring_at, retires_at,
                revoked_at, announced_seq, is_imported
         from signing_keys order by created_at, kid",
    )
    .fetch_all(db)
    .await
}

/// Keys stay as they are until the transaction ends, but for this one; and the time of the database.
pub(crate) async fn lock(db: &mut PgConnection) -> sqlx::Result<DateTime<Utc>> {
    sqlx::query!("select only_row from signing_key_lock for update")
        .fetch_one(&mut *db)
        .await?;
    // A statement of its own: in that one the time would be read before the lock was waited for.
    sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#)
        .fetch_one(db)
        .await
}

/// A key that is to come.
pub(crate) struct NewKey<'k> {
    pub(crate) kid: &'k str,
    pub(crate) issuer: &'k str,
    pub(crate) n: &'k str,
    pub(crate) e: &'k str,
    pub(crate) private_sealed: &'k [u8],
    pub(crate) activates_at: DateTime<Utc>,
}

pub(crate) async fn insert_pending(
    db: impl PgExecutor<'_>,
    key: &NewKey<'_>,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into signing_keys (kid, issuer, n, e, private_sealed, state, created_at, activates_at)
         values ($1, $2, $3, $4, $5, 'pending', $6, $7)",
        key.kid,
        key.issuer,
        key.n,
        key.e,
        key.private_sealed,
        now,
        key.activates_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes in the public half of another system's key; `false` when the key is here.
pub(crate) async fn insert_imported(
    db: impl PgExecutor<'_>,
    (kid, n, e): (&str, &str, &str),
    issuer: &str,
    now: DateTime<Utc>,
    retires_at: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let inserted = sqlx::query!(
        "insert into signing_keys (kid, issuer, n, e, state, created_at, retiring_at, retires_at, is_imported)
         values ($1, $2, $3, $4, 'retiring', $5, $5, $6, true) on conflict (kid) do nothing",
        kid,
        issuer,
        n,
        e,
        now,
        retires_at,
    );
    Ok(inserted.execute(db).await?.rows_affected() == 1)
}

/// The pending key signs from now on. The one that signed stops, if there is one.
pub(crate) async fn activate(
    db: &mut PgConnection,
    kid: &str,
    predecessor_retires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update signing_keys set state = 'retiring', retiring_at = $1, retires_at = $2 where state = 'active'",
        now,
        predecessor_retires_at,
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "update signing_keys set state = 'active', activated_at = $2 where kid = $1 and state = 'pending'",
        kid,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A pending key may sign from then on.
pub(crate) async fn set_activates_at(
    db: impl PgExecutor<'_>,
    kid: &str,
    activates_at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update signing_keys set activates_at = $2 where kid = $1 and state = 'pending'",
        kid,
        activates_at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Deletes the private half of a retiring key.
pub(crate) async fn retire(db: impl PgExecutor<'_>, kid: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update signing_keys set state = 'retired', private_sealed = null where kid = $1 and state = 'retiring'",
        kid,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Revokes a key. While it `vouches` for its successor, its private half stays.
pub(crate) async fn revoke(
    db: impl PgExecutor<'_>,
    kid: &str,
    vouches: bool,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update signing_keys set state = 'revoked', revoked_at = $2,
                private_sealed = case when $3 then private_sealed end
         where kid = $1 and state <> 'revoked'",
        kid,
        now,
        vouches,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Deletes the private half of a revoked key, and asks the ledger to believe it no more. The revocation.
pub(crate) async fn disown(
    db: &mut PgConnection,
    kid: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<Uuid> {
    sqlx::query!(
        "update signing_keys set private_sealed = null where kid = $1 and state = 'revoked'",
        kid
    )
    .execute(&mut *db)
    .await?;
    let target = Target::Key {
        kid: kid.to_owned(),
    };
    revocations::request(db, &target, "key_revoked", now).await
}

/// The private half as it is sealed from now on.
pub(crate) async fn reseal(
    db: impl PgExecutor<'_>,
    kid: &str,
    private_sealed: &[u8],
) -> sqlx::Result<()> {
    sqlx::query!(
        "update signing_keys set private_sealed = $2 where kid = $1",
        kid,
        private_sealed
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Notes where the ledger has noted a key.
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
