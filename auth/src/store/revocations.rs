//! Revocations on their way into the log.

use chrono::{DateTime, Utc};
use common::token::Target;
use sqlx::PgExecutor;
use sqlx::types::Json;
use uuid::Uuid;

/// The channel on which the database announces a new revocation.
pub(crate) const REVOCATION_CHANNEL: &str = "revocation";

/// A revocation that the ledger has not answered yet.
pub(crate) struct Waiting {
    pub(crate) id: Uuid,
    pub(crate) target: Json<Target>,
    pub(crate) because: String,
}

/// Asks for a revocation. It belongs into the transaction that ends what it is about. `because` is a word of small letters.
pub(crate) async fn request(
    db: impl PgExecutor<'_>,
    target: &Target,
    because: &'static str,
    now: DateTime<Utc>,
) -> sqlx::Result<Uuid> {
    let id = Uuid::now_v7();
    sqlx::query!(
        "insert into revocations (id, target, because, requested_at) values ($1, $2, $3, $4)",
        id,
        Json(target) as _,
        because,
        now,
    )
    .execute(db)
    .await?;
    Ok(id)
}

/// Those that the ledger has not answered, but for these, the oldest first; at most `limit`.
pub(crate) async fn waiting(
    db: impl PgExecutor<'_>,
    known: &[Uuid],
    limit: i64,
) -> sqlx::Result<Vec<Waiting>> {
    sqlx::query_as!(
        Waiting,
        r#"select id, target as "target: Json<Target>", because from revocations
           where noted_seq is null and id <> all ($1) order by id limit $2"#,
        known,
        limit,
    )
    .fetch_all(db)
    .await
}

/// Notes that the ledger has answered.
pub(crate) async fn set_noted(
    db: impl PgExecutor<'_>,
    id: Uuid,
    sequence: i64,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update revocations set noted_seq = $2 where id = $1 and noted_seq is null",
        id,
        sequence,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// How many of these the ledger has answered.
pub(crate) async fn noted(db: impl PgExecutor<'_>, ids: &[Uuid]) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from revocations where id = any($1) and noted_seq is not null"#,
        ids,
    )
    .fetch_one(db)
    .await
}

/// Whether the ledger has noted that a key is revoked, or never knew the key.
pub(crate) async fn has_noted_key(db: impl PgExecutor<'_>, kid: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select from signing_keys where kid = $1 and is_imported
           ) or exists (
               select from revocations
               where target ->> 'kind' = 'key' and target ->> 'kid' = $1 and noted_seq is not null
           ) as "has!""#,
        kid,
    )
    .fetch_one(db)
    .await
}

/// Whether this one token was revoked.
pub(crate) async fn has_token(db: impl PgExecutor<'_>, jti: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select from revocations where target ->> 'kind' = 'token' and target ->> 'jti' = $1
           ) as "has!""#,
        jti,
    )
    .fetch_one(db)
    .await
}
