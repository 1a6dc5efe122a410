//! Which tokens were revoked, as the ledger has noted it.

#![expect(
    clippy::as_conversions,
    reason = "how sqlx is told the type of an array's elements"
)]

use chrono::{DateTime, Utc};
use common::token::{Revocations, Target};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::values::{column, sequence};

/// A noted revocation.
#[derive(Debug)]
pub(crate) struct RevokedRow {
    pub(crate) request_seq: u64,
    pub(crate) target: Target,
    pub(crate) published_at: DateTime<Utc>,
}

/// Adds noted revocations.
pub(crate) async fn insert_revocations(
    db: &mut PgConnection,
    rows: &[RevokedRow],
) -> sqlx::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into revocation (request_seq, target, published_at)
         select request_seq, target, published_at
         from unnest($1::bigint[], $2::jsonb[], $3::timestamptz[]) as noted (request_seq, target, published_at)
         on conflict on constraint revocation_pkey do nothing",
        &column(rows, |row| sequence(row.request_seq)),
        &column(rows, |row| Json(&row.target)) as &[Json<&Target>],
        &column(rows, |row| row.published_at),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The revocations that can concern a token of today: those of keys, and those of the last day.
pub(crate) async fn revocations(db: &mut PgConnection) -> sqlx::Result<Revocations> {
    let rows = sqlx::query!(
        r#"select target as "target: Json<Target>", published_at from revocation
           where target ->> 'kind' = 'key' or published_at > now() - interval '1 day'
           order by request_seq"#
    );
    let mut revocations = Revocations::default();
    for row in rows.fetch_all(db).await? {
        revocations.insert(&row.target, row.published_at);
    }
    Ok(revocations)
}
