//! What PostgreSQL says about keeping what it commits.

use sqlx::PgConnection;

/// A setting as it holds for one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DatabaseSetting {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// The settings on which it depends whether a commit survives a power failure.
pub(crate) async fn durability_settings(
    db: &mut PgConnection,
) -> sqlx::Result<Vec<DatabaseSetting>> {
    let settings = sqlx::query_as!(
        DatabaseSetting,
        r#"
        select name as "name!", setting as "value!"
        from pg_settings
        where name in ('fsync', 'synchronous_commit', 'full_page_writes', 'data_checksums')
        order by name
        "#
    );
    settings.fetch_all(db).await
}
