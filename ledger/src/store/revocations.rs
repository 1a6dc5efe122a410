//! Which tokens were revoked.

#![expect(
    clippy::as_conversions,
    reason = "how sqlx is told the type of an array's elements"
)]

use chrono::{DateTime, Utc};
use common::token::{Claims, Revocations, Target};
use sqlx::PgExecutor;
use sqlx::types::Json;

use super::values::{bigint, column, from_bigint};

/// A revocation: the request, its time, and what it revoked.
pub(crate) type Revoked<'r> = (u64, DateTime<Utc>, &'r Target);

/// Adds the revocations of a batch.
pub(super) async fn insert(db: impl PgExecutor<'_>, revoked: &[Revoked<'_>]) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into revocation (request_seq, target, published_at)
         select request_seq, target, published_at
         from unnest($1::bigint[], $2::jsonb[], $3::timestamptz[]) as revoked (request_seq, target, published_at)",
        &column(revoked, |(seq, ..)| bigint(*seq)),
        &column(revoked, |(.., target)| Json(*target)) as &[Json<&Target>],
        &column(revoked, |(_, published_at, _)| *published_at),
    )
    .execute(db)
    .await
    .map(drop)
}

/// The revocations that can concern a request behind the cursor: those of keys, and those of the day before the last
/// answer. No token lives as long as a day.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn relevant(db: impl PgExecutor<'_>) -> sqlx::Result<Revocations> {
    let rows = sqlx::query!(
        r#"select target as "target: Json<Target>", published_at from revocation
           where target ->> 'kind' = 'key'
              or published_at > (select answer.published_at from answer join cursor on request_seq = seq) - interval '1 day'
           order by request_seq"#
    );
    let mut revocations = Revocations::default();
    for row in rows.fetch_all(db).await? {
        revocations.insert(&row.target, row.published_at);
    }
    Ok(revocations)
}

/// Every revocation, in order: the request and what it revoked.
///
/// # Errors
/// When the database does not answer.
pub async fn revocations(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<(u64, Target)>> {
    let rows = sqlx::query!(
        r#"select request_seq, target as "target: Json<Target>" from revocation order by request_seq"#
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    rows.map(|row| Ok((from_bigint(row.request_seq)?, row.target.0)))
        .collect()
}

/// Whether a token that is judged now was revoked.
pub(crate) async fn is_revoked(
    db: impl PgExecutor<'_>,
    kid: &str,
    claims: &Claims,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select from revocation
               where target ->> 'kind' = 'key' and target ->> 'kid' = $1
           ) or exists (
               select from revocation
               where published_at > now() - interval '20 minutes' and case target ->> 'kind'
                   when 'subject' then target ->> 'sub' = $2 and (target ->> 'issued_until')::bigint >= $6
                   when 'client' then target ->> 'client_id' = $3 and (target ->> 'issued_until')::bigint >= $6
                   when 'session' then target ->> 'sid' = $4
                   when 'token' then target ->> 'jti' = $5
                   else false
               end
           ) as "is_revoked!""#,
        kid,
        claims.sub,
        claims.client_id.as_str(),
        claims.sid,
        claims.jti,
        claims.iat,
    )
    .fetch_one(db)
    .await
}
