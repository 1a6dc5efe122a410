//! What somebody asks who looks whether auth is well, without it.

use common::service;
use sqlx::PgConnection;

use crate::MIGRATIONS;

/// Whether the tables are those of this version.
///
/// # Errors
/// When they are not: the text says what to do.
pub async fn check_tables(db: &mut PgConnection) -> anyhow::Result<()> {
    service::check_tables(db, "auth", &MIGRATIONS).await
}
