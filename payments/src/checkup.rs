//! What somebody asks who looks whether payments is well, without it.

use common::service;
use common::wire::SETTLEMENTS;
use sqlx::PgConnection;

use crate::{MIGRATIONS, store};

/// Whether the tables are those of this version.
///
/// # Errors
/// When they are not: the text says what to do.
pub async fn check_tables(db: &mut PgConnection) -> anyhow::Result<()> {
    service::check_tables(db, "payments", &MIGRATIONS).await
}

/// The last answer that is projected.
///
/// # Errors
/// When the database does not answer.
pub async fn projected(db: &mut PgConnection) -> sqlx::Result<u64> {
    store::cursor(db, SETTLEMENTS).await
}
