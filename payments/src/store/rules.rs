//! By which rules the log is decided.

use sqlx::PgConnection;

use super::values::sequence;

/// Rules that the ledger has raised.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RaisedRow {
    pub(crate) request_seq: u64,
    pub(crate) version: u32,
}

/// Adds raised rules.
pub(crate) async fn insert_raised(db: &mut PgConnection, row: RaisedRow) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into rules_raised (version, request_seq) values ($1, $2)
         on conflict on constraint rules_raised_pkey do nothing",
        row.version.cast_signed(),
        sequence(row.request_seq),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The version of the rules, 1 when none were raised.
pub(crate) async fn rules(db: &mut PgConnection) -> sqlx::Result<u32> {
    let version = sqlx::query_scalar!("select max(version) from rules_raised");
    let version = version.fetch_one(db).await?.unwrap_or(1);
    Ok(version.cast_unsigned())
}
