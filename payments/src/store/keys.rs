//! The public keys that the ledger has noted.

use sqlx::PgConnection;

use super::values::{column, storable};

/// A public key that the ledger has noted.
#[derive(Debug)]
pub(crate) struct SigningKey {
    pub(crate) kid: String,
    pub(crate) issuer: String,
    pub(crate) n: String,
    pub(crate) e: String,
}

/// Adds noted keys; a kid is its key's thumbprint, so one that is known can't be another key.
pub(crate) async fn insert_keys(db: &mut PgConnection, rows: &[SigningKey]) -> sqlx::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into signing_key (kid, issuer, n, e)
         select kid, issuer, n, e
         from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as noted (kid, issuer, n, e)
         on conflict on constraint signing_key_pkey do nothing",
        &column(rows, |row| storable(&row.kid)),
        &column(rows, |row| storable(&row.issuer)),
        &column(rows, |row| storable(&row.n)),
        &column(rows, |row| storable(&row.e)),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// All noted keys.
pub(crate) async fn keys(db: &mut PgConnection) -> sqlx::Result<Vec<SigningKey>> {
    sqlx::query_as!(SigningKey, "select kid, issuer, n, e from signing_key")
        .fetch_all(db)
        .await
}
