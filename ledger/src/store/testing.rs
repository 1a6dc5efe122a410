//! A real PostgreSQL for tests of the ledger's own tables.

use common::service::{Database, Owner, open_database};
use local::{Servers, Service};
use sqlx::PgPool;

use super::MIGRATIONS;

/// Tables of this version, seen as the ledger sees them.
pub(crate) async fn tables(servers: &Servers) -> PgPool {
    let url = servers.owner_database_url(Service::Ledger);
    let owner = Owner {
        url: url.parse().expect("a URL"),
    };
    crate::migrate(&owner).await.expect("tables");
    let url = servers.database_url(Service::Ledger);
    let database = Database {
        url: url.parse().expect("a URL"),
    };
    let opened = open_database(&database, "ledger", &MIGRATIONS).await;
    opened.expect("a database")
}
