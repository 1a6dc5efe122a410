//! A service's database: where it is, how it is migrated and opened.

use std::convert::Infallible;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _};

/// Connections to the database per service: two cores are busy with fewer.
const DATABASE_CONNECTIONS_MAX: u32 = 10;
/// A request that waits longer than this for a connection is answered with 503.
const DATABASE_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// Where a service's database is, for the service and for its migrations.
#[derive(Debug, Clone, clap::Args)]
pub struct Database {
    /// `postgres://` URL of the role that the service works as.
    #[arg(
        long = "database-url",
        env = "QUITTANCE_DATABASE_URL",
        hide_env_values = true
    )]
    pub url: DatabaseUrl,
    /// `postgres://` URL of the role that owns the tables; without it nothing is migrated.
    #[arg(
        long = "migration-database-url",
        env = "QUITTANCE_MIGRATION_DATABASE_URL",
        hide_env_values = true
    )]
    pub migration_url: Option<DatabaseUrl>,
}

impl Database {
    /// The login that the service works as.
    ///
    /// # Errors
    /// When it is not a URL.
    pub fn options(&self) -> anyhow::Result<PgConnectOptions> {
        self.url.parsed("QUITTANCE_DATABASE_URL")
    }

    fn owner_options(&self) -> anyhow::Result<Option<PgConnectOptions>> {
        let url = self.migration_url.as_ref();
        url.map(|url| url.parsed("QUITTANCE_MIGRATION_DATABASE_URL"))
            .transpose()
    }
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

/// Migrates as the owner of the tables, then opens the pool that the service works with.
///
/// # Errors
/// When a URL can't be read, or the database does not answer, or holds tables of a newer version.
pub async fn open_database(config: &Database, migrations: &Migrator) -> anyhow::Result<PgPool> {
    let service = config.options()?;
    if let Some(owner) = config.owner_options()? {
        let mut connection = owner
            .connect()
            .await
            .context("the database does not let the tables' owner in")?;
        migrations
            .run(&mut connection)
            .await
            .context("the database can't be migrated")?;
        connection.close().await?;
    }
    PgPoolOptions::new()
        .max_connections(DATABASE_CONNECTIONS_MAX)
        .acquire_timeout(DATABASE_ACQUIRE_TIMEOUT)
        .connect_with(service)
        .await
        .context("the database does not let the service in")
}
