//! A backup of the ledger's database, and its restoring.

use anyhow::Result;
use local::{Bank, Service};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// What the ledger writes.
const TABLES: [&str; 6] = [
    "answer",
    "posting",
    "account",
    "signing_key",
    "rules_raised",
    "cursor",
];

/// The ledger's tables at one moment.
pub(crate) struct Backup {
    database: PgConnection,
}

impl Backup {
    /// Copies the tables as they are now.
    pub(crate) async fn take(bank: &Bank) -> Result<Self> {
        let superuser = bank.servers().superuser_database_url(Service::Ledger);
        let mut database = PgConnection::connect(&superuser).await?;
        for table in TABLES {
            let copy = format!("create table backup_{table} as select * from {table}");
            sqlx::query(AssertSqlSafe(copy))
                .execute(&mut database)
                .await?;
        }
        Ok(Self { database })
    }

    /// Puts the tables back as they were; the ledger must not run.
    pub(crate) async fn restore(mut self) -> Result<()> {
        let mut tx = self.database.begin().await?;
        // Restoring is not changing history by accident: it takes the superuser and the triggers off.
        sqlx::query("set local session_replication_role = replica")
            .execute(&mut *tx)
            .await?;
        for table in TABLES {
            let restore =
                format!("delete from {table}; insert into {table} select * from backup_{table}");
            sqlx::raw_sql(AssertSqlSafe(restore))
                .execute(&mut *tx)
                .await?;
        }
        Ok(tx.commit().await?)
    }
}
