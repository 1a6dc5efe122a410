//! Leading: of all ledgers on a database one writes.

use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::time::Instant;

/// Names the advisory lock of the active ledger; any number that nothing else in this database uses.
const LEADER_LOCK: i64 = 0x5155_4954;

/// How often a ledger that waits for its turn asks. Waiting inside of a statement would hold a snapshot, and with it every
/// old version of the cursor's row.
const LEADER_INTERVAL: Duration = Duration::from_millis(200);

/// How often a ledger that waits says for whom.
const TELL_INTERVAL: Duration = Duration::from_secs(60);

/// Waits until no other ledger leads this database, then leads it for as long as the connection lives.
pub(crate) async fn lead(database: &PgConnectOptions) -> sqlx::Result<PgConnection> {
    // Others that wait read this name.
    let name = format!("quittance ledger, process {}", std::process::id());
    let mut connection = database.clone().application_name(&name).connect().await?;
    let mut told_at: Option<Instant> = None;
    while !try_lead(&mut connection).await? {
        if told_at.is_none_or(|told_at| told_at.elapsed() >= TELL_INTERVAL) {
            told_at = Some(Instant::now());
            if let Some(leader) = leader(&mut connection).await? {
                let Leader { pid, role, name } = leader;
                let (role, name) = (role.unwrap_or_default(), name.unwrap_or_default());
                tracing::info!(pid, role, name, "another one leads this database, waiting");
            }
        }
        tokio::time::sleep(LEADER_INTERVAL).await;
    }
    Ok(connection)
}

/// Who holds the leader's lock.
pub(crate) struct Leader {
    /// The process at PostgreSQL.
    pid: Option<i32>,
    pub(crate) role: Option<String>,
    /// What its connection is called.
    pub(crate) name: Option<String>,
}

pub(crate) async fn leader(db: &mut PgConnection) -> sqlx::Result<Option<Leader>> {
    let leader = sqlx::query_as!(
        Leader,
        r#"
        select pg_locks.pid, usename::text as role, application_name as name
        from pg_locks
        left join pg_stat_activity using (pid)
        where locktype = 'advisory' and granted and pg_locks.database = (
                select oid from pg_database where datname = current_database()
            )
            and (classid::bigint << 32) | objid::bigint = $1 and objsubid = 1
        limit 1
        "#,
        LEADER_LOCK
    );
    leader.fetch_optional(db).await
}

async fn try_lead(db: &mut PgConnection) -> sqlx::Result<bool> {
    let leads = sqlx::query_scalar!(
        r#"select pg_try_advisory_lock($1) as "leads!""#,
        LEADER_LOCK
    );
    leads.fetch_one(db).await
}
