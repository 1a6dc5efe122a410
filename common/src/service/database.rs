//! A service's database: where it is, how it is migrated and opened.

use std::convert::Infallible;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use chrono::{DateTime, Utc};
use sqlx::migrate::{Migrate as _, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

use crate::store;

/// Connections to the database per service: two cores are busy with fewer.
const DATABASE_CONNECTIONS_MAX: u32 = 10;
/// A request that waits longer than this for a connection is answered with 503.
const DATABASE_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// Where a service's database is.
#[derive(Debug, Clone, clap::Args)]
pub struct Database {
    /// `postgres://` URL of the role that the service works as.
    #[arg(
        long = "database-url",
        env = "QUITTANCE_DATABASE_URL",
        hide_env_values = true
    )]
    pub url: DatabaseUrl,
}

impl Database {
    /// The login that the service works as.
    ///
    /// # Errors
    /// When it is not a URL.
    pub fn options(&self) -> anyhow::Result<PgConnectOptions> {
        self.url.parsed("QUITTANCE_DATABASE_URL")
    }
}

/// The owner of a service's tables. A running service never has this login.
#[derive(Debug, Clone, clap::Args)]
pub struct Owner {
    /// `postgres://` URL of the role that owns the tables.
    #[arg(
        long = "migration-database-url",
        env = "QUITTANCE_MIGRATION_DATABASE_URL",
        hide_env_values = true
    )]
    pub url: DatabaseUrl,
}

/// Brings the tables up to this version.
///
/// # Errors
/// When the URL is not one, the database does not answer, or it holds tables of a newer version.
pub async fn migrate(owner: &Owner, migrations: &Migrator) -> anyhow::Result<()> {
    let options = owner.url.parsed("QUITTANCE_MIGRATION_DATABASE_URL")?;
    let mut connection = options
        .connect()
        .await
        .context("the database does not let the tables' owner in")?;
    migrations
        .run(&mut connection)
        .await
        .context("the database can't be migrated")?;
    connection.close().await?;
    Ok(())
}

/// A URL with a password in it. It is kept as text and parsed later, because clap prints what it can't parse.
#[derive(Clone)]
pub struct DatabaseUrl(String);

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DatabaseUrl(…)")
    }
}

impl FromStr for DatabaseUrl {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl DatabaseUrl {
    fn parsed(&self, option: &str) -> anyhow::Result<PgConnectOptions> {
        // What the parser says may quote what it has read.
        self.0.parse().map_err(|_| {
            anyhow!(
                "{option} is no postgres:// URL; in a password, write : / ? # [ ] @ % as %3A %2F %3F %23 %5B %5D %40 %25"
            )
        })
    }
}

/// Opens the pool that the service works with, once the tables are those of this version.
///
/// # Errors
/// When the URL is not one, the database does not answer, or its tables are of another version.
pub async fn open_database(
    config: &Database,
    service: &str,
    migrations: &Migrator,
) -> anyhow::Result<PgPool> {
    let pool = PgPoolOptions::new()
        .max_connections(DATABASE_CONNECTIONS_MAX)
        .acquire_timeout(DATABASE_ACQUIRE_TIMEOUT)
        .connect_with(config.options()?)
        .await
        .context("the database does not let the service in")?;
    check_tables(&mut *pool.acquire().await?, service, migrations).await?;
    Ok(pool)
}

/// What time it is at the database.
///
/// # Errors
/// When it does not answer.
pub async fn database_time(connection: &mut PgConnection) -> sqlx::Result<DateTime<Utc>> {
    store::time(connection).await
}

/// Whether the tables are those of this version.
///
/// # Errors
/// When they are not: the text says what to do.
pub async fn check_tables(
    connection: &mut PgConnection,
    service: &str,
    migrations: &Migrator,
) -> anyhow::Result<()> {
    let applied = connection
        .list_applied_migrations(&migrations.table_name)
        .await;
    // Without tables, or with those of a version that let nobody look.
    let applied = applied.unwrap_or_default();
    let last = applied.iter().map(|migration| migration.version).max();
    let needed = migrations.iter().map(|migration| migration.version).max();
    ensure!(
        last >= needed,
        "the tables are not those of this version: run `quittance migrate {service}` first"
    );
    ensure!(
        last == needed,
        "the tables are of a newer version of quittance: start that one"
    );
    Ok(())
}
