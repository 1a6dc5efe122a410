//! The books, changed by hand.

use anyhow::Result;
use sqlx::{Connection as _, PgConnection};

/// Changes the books by hand, as nobody but a superuser can: even the owner of the tables has to take the triggers off.
pub(crate) async fn change_by_hand(database: &mut PgConnection, statement: &str) -> Result<()> {
    let statement = format!("set local session_replication_role = replica; {statement}");
    let mut tx = database.begin().await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
        .execute(&mut *tx)
        .await?;
    Ok(tx.commit().await?)
}
