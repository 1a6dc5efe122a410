//! Leading: of all ledgers on a database one writes.

use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};

/// Names the advisory lock of the active ledger; any number that nothing else in this database uses.
const LEADER_LOCK: i64 = 0x5155_4954;

/// How often a ledger that waits for its turn asks. Waiting inside of a statement would hold a snapshot, and with it every
/// old version of the cursor's row.
const LEADER_INTERVAL: Duration = Duration::from_millis(200);

/// Waits until no other ledger leads this database, then leads it for as long as the connection lives.
pub(crate) async fn lead(database: &PgConnectOptions) -> sqlx::Result<PgConnection> {
    let mut connection = database.connect().await?;
    while !try_lead(&mut connection).await? {
        tokio::time::sleep(LEADER_INTERVAL).await;
    }
    Ok(connection)
}

async fn try_lead(db: &mut PgConnection) -> sqlx::Result<bool> {
    let leads = sqlx::query_scalar!(
        r#"select pg_try_advisory_lock($1) as "leads!""#,
        LEADER_LOCK
    );
    leads.fetch_one(db).await
}
