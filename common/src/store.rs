//! The one statement that every service needs.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

/// What time it is at the database.
pub(crate) async fn time(db: impl PgExecutor<'_>) -> sqlx::Result<DateTime<Utc>> {
    sqlx::query_scalar("select clock_timestamp()")
        .fetch_one(db)
        .await
}
