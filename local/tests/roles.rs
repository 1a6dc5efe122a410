//! What the roles of the database may not do to others: lock, fill the disk, or take all connections.

use local::{Service, testing};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

#[tokio::test]
async fn who_only_reads_can_neither_lock_nor_store_anything() {
    let servers = testing::servers().await;
    let reading = [
        servers.audit_database_url(),
        servers.database_url(Service::Payments),
        servers.database_url(Service::Auth),
    ];
    for url in reading {
        let mut database = PgConnection::connect(&url).await.expect("a login");
        for call in [
            "pg_advisory_lock(1364347220)",
            "pg_try_advisory_lock(1364347220)",
            "pg_advisory_xact_lock(1, 2)",
            "pg_advisory_lock_shared(1)",
            "lo_create(0)",
            "lo_from_bytea(0, 'x')",
        ] {
            let statement = AssertSqlSafe(format!("select {call}"));
            let refused = sqlx::query(statement).execute(&mut database).await;
            let refused = refused.expect_err(call).to_string();
            assert!(refused.contains("permission denied"), "{call}: {refused}");
        }
    }
    // The ledger leads by such a lock, and owners migrate under one.
    for url in [
        servers.database_url(Service::Ledger),
        servers.owner_database_url(Service::Payments),
    ] {
        let mut database = PgConnection::connect(&url).await.expect("a login");
        sqlx::query("select pg_try_advisory_lock(1)")
            .execute(&mut database)
            .await
            .expect("it may lock");
    }
}

#[tokio::test]
async fn no_role_can_take_all_connections() {
    let servers = testing::servers().await;
    for (url, limit) in [
        (servers.audit_database_url(), 10),
        (servers.database_url(Service::Auth), 45),
    ] {
        let pool = PgPoolOptions::new()
            .max_connections(limit + 1)
            .connect(&url)
            .await
            .expect("a login");
        let mut held = Vec::new();
        for _ in 0..limit {
            held.push(pool.acquire().await.expect("within the limit"));
        }
        let refused = PgConnection::connect(&url).await.expect_err("beyond it");
        let refused = refused.to_string();
        assert!(
            refused.contains("too many connections for role"),
            "{refused}"
        );
    }
}
