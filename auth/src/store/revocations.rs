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

/// Asks for many revocations with one statement.
pub(crate) async fn request_all(
    db: impl PgExecutor<'_>,
    targets: impl Iterator<Item = Target>,
    because: &'static str,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    let (ids, targets): (Vec<_>, Vec<_>) =
        targets.map(|target| (Uuid::now_v7(), Json(target))).unzip();
    sqlx::query!(
        "insert into revocations (id, target, because, requested_at)
         select id, target, $3, $4 from unnest($1::uuid[], $2::jsonb[]) as new (id, target)",
        &ids,
        &targets as _,
        because,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Those that the ledger has not answered, but for these, the oldest first; at most `limit`.
pub(crate) async fn waiting(
    db: impl PgExecutor<'_>,
    known: &[Uuid],
    limit: usize,
) -> sqlx::Result<Vec<Waiting>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
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

/// Notes that the ledger has answered these, each with its sequence.
pub(crate) async fn set_noted(db: impl PgExecutor<'_>, noted: &[(Uuid, i64)]) -> sqlx::Result<()> {
    let (ids, sequences): (Vec<_>, Vec<_>) = noted.iter().copied().unzip();
    sqlx::query!(
        "update revocations set noted_seq = new.seq from unnest($1::uuid[], $2::bigint[]) as new (id, seq)
         where revocations.id = new.id and noted_seq is null",
        &ids,
        &sequences,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The last answer of the ledger to a revocation that this database knows of; without one, to its first key. A revocation
/// that it does not know of has a later one.
pub(crate) async fn last_known_seq(db: impl PgExecutor<'_>) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!(
        "select coalesce(
             (select max(noted_seq) from revocations),
             (select min(announced_seq) from signing_keys)
         )"
    )
    .fetch_one(db)
    .await
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
