//! The servers keep what they acknowledged through `kill -9`, and end with the process that started them.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test may panic like the test"
)]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures::StreamExt;
use local::{Home, Ports, Producer, ServerOptions, Servers, Service, down, silent, testing};
use sqlx::{Connection, PgConnection};

/// Waits until the condition holds.
async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "after 30 s not yet: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn ledger_broker(servers: &Servers) -> async_nats::Client {
    let password = servers.nats_password("ledger").to_owned();
    async_nats::ConnectOptions::with_user_and_password("ledger".to_owned(), password)
        .custom_inbox_prefix("_INBOX_ledger")
        .connect(servers.nats_url())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_role_reaches_its_own_database_and_no_other() {
    let servers = testing::servers().await;
    let own = servers.database_url(Service::Payments);
    PgConnection::connect(&own).await.unwrap();
    for database in ["ledger", "auth", "postgres", "template1"] {
        let other = own.replace("/payments?", &format!("/{database}?"));
        let refusal = PgConnection::connect(&other).await.unwrap_err().to_string();
        assert!(
            refusal.contains("permission denied"),
            "{database}: {refusal}"
        );
    }
}

#[tokio::test]
async fn the_service_uses_what_the_owner_made_and_makes_nothing() {
    let servers = testing::servers().await;
    let mut owner = PgConnection::connect(&servers.owner_database_url(Service::Ledger))
        .await
        .unwrap();
    let migration =
        "create table posting (amount numeric); grant select, insert on posting to ledger";
    sqlx::raw_sql(migration).execute(&mut owner).await.unwrap();

    let mut ledger = PgConnection::connect(&servers.database_url(Service::Ledger))
        .await
        .unwrap();
    sqlx::query("insert into posting values (1)")
        .execute(&mut ledger)
        .await
        .unwrap();
    for forbidden in [
        "delete from posting",
        "drop table posting",
        "create table mine ()",
    ] {
        let refusal = sqlx::query(forbidden)
            .execute(&mut ledger)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            refusal.contains("permission denied") || refusal.contains("must be owner"),
            "{forbidden}: {refusal}"
        );
    }
}

#[tokio::test]
async fn the_auditor_reaches_the_books_and_nothing_else() {
    let servers = testing::servers().await;
    let url = servers.audit_database_url();
    let mut audit = PgConnection::connect(&url).await.unwrap();
    let refusal = sqlx::query("create table mine ()")
        .execute(&mut audit)
        .await
        .unwrap_err()
        .to_string();
    assert!(refusal.contains("permission denied"), "{refusal}");
    for database in ["auth", "payments", "postgres", "template1"] {
        let other = url.replace("/ledger?", &format!("/{database}?"));
        let refusal = PgConnection::connect(&other).await.unwrap_err().to_string();
        assert!(
            refusal.contains("permission denied"),
            "{database}: {refusal}"
        );
    }
}

/// A ledger whose host has vanished must not keep the lock that a standby waits for.
#[tokio::test]
async fn a_lost_client_is_noticed_within_seconds() {
    let servers = testing::servers().await;
    let mut ledger = PgConnection::connect(&servers.database_url(Service::Ledger))
        .await
        .unwrap();
    for (setting, expected) in [
        ("tcp_keepalives_idle", "5"),
        ("tcp_keepalives_interval", "5"),
        ("tcp_keepalives_count", "3"),
        ("tcp_user_timeout", "15000"),
    ] {
        let is: String = sqlx::query_scalar("select current_setting($1)")
            .bind(setting)
            .fetch_one(&mut ledger)
            .await
            .unwrap();
        assert_eq!(is, expected, "{setting}");
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    let mut servers = testing::servers().await;
    let url = servers.owner_database_url(Service::Ledger);
    let mut owner = PgConnection::connect(&url).await.unwrap();
    let create = "create table kept (n int); insert into kept values (42)";
    sqlx::raw_sql(create).execute(&mut owner).await.unwrap();
    let stream = || async_nats::jetstream::stream::Config {
        name: "REQUESTS".to_owned(),
        subjects: vec!["request.>".to_owned()],
        ..Default::default()
    };
    let broker = async_nats::jetstream::with_domain(ledger_broker(&servers).await, "quittance");
    broker.create_stream(stream()).await.unwrap();
    let stored = broker
        .publish("request.account.v1.bank", "{}".into())
        .await
        .unwrap();
    assert_eq!(stored.await.unwrap().sequence, 1);

    servers.kill_postgres();
    servers.kill_nats();
    servers.restart_postgres().await.unwrap();
    servers.restart_nats().await.unwrap();

    let mut owner = PgConnection::connect(&url).await.unwrap();
    let kept: i32 = sqlx::query_scalar("select n from kept")
        .fetch_one(&mut owner)
        .await
        .unwrap();
    assert_eq!(kept, 42);
    let broker = async_nats::jetstream::with_domain(ledger_broker(&servers).await, "quittance");
    let info = broker
        .get_stream("REQUESTS")
        .await
        .unwrap()
        .get_info()
        .await
        .unwrap();
    assert_eq!(info.state.last_sequence, 1);
}

#[tokio::test]
async fn a_second_start_finds_what_the_first_left() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("bank");
    open_to_all(directory.path());
    let options = ServerOptions {
        ports: Ports::Free,
        producers: vec![Producer::new("shop")],
    };

    let first = Servers::start(Home::open(&home).unwrap(), &options, &silent())
        .await
        .unwrap();
    let password = first.nats_password("shop").to_owned();
    let url = first.owner_database_url(Service::Auth);
    let mut owner = PgConnection::connect(&url).await.unwrap();
    sqlx::query("create table kept ()")
        .execute(&mut owner)
        .await
        .unwrap();
    let taken = Home::open(&home).unwrap_err().to_string();
    assert!(taken.contains("already runs"), "{taken}");
    first.stop();

    let second = Servers::start(Home::open(&home).unwrap(), &options, &silent())
        .await
        .unwrap();
    assert_eq!(second.nats_password("shop"), password);
    let url = second.owner_database_url(Service::Auth);
    let mut owner = PgConnection::connect(&url).await.unwrap();
    sqlx::query("select from kept")
        .fetch_all(&mut owner)
        .await
        .unwrap();
}

#[tokio::test]
async fn nothing_is_left_of_a_dropped_home() {
    let servers = testing::servers().await;
    let path = servers.home().path().to_owned();
    let pids = pids(&path);
    assert_eq!(pids.len(), 2);
    drop(servers);
    assert!(!path.exists());
    assert!(pids.iter().all(|pid| !is_alive(pid)));
}

#[tokio::test]
async fn the_servers_end_with_a_starter_that_was_killed() {
    let directory = tempfile::tempdir().unwrap();
    open_to_all(directory.path());
    let home = directory.path().join("bank");
    let holder = start_holder(&home).await;
    let pids = pids(&home);
    assert_eq!(pids.len(), 2);
    assert!(pids.iter().all(|pid| is_alive(pid)));
    drop(holder);

    // A start while they still stop waits for them.
    let options = ServerOptions {
        ports: Ports::Free,
        producers: Vec::new(),
    };
    let _next = Servers::start(Home::open(&home).unwrap(), &options, &silent())
        .await
        .unwrap();
    assert!(pids.iter().all(|pid| !is_alive(pid)));
}

#[tokio::test]
async fn down_stops_whoever_holds_the_home() {
    let directory = tempfile::tempdir().unwrap();
    open_to_all(directory.path());
    let home = directory.path().join("bank");
    let holder = start_holder(&home).await;
    let pids = pids(&home);
    assert!(down(&home).unwrap());
    assert!(!down(&home).unwrap());
    drop(holder);
    eventually("the servers are gone", || {
        pids.iter().all(|pid| !is_alive(pid))
    })
    .await;
}

/// A process that holds servers in this home until it is killed.
async fn start_holder(home: &Path) -> Holder {
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "helper_that_holds_servers",
            "--ignored",
            "--nocapture",
        ])
        .env("TEST_HOLDER_HOME", home)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let holder = Holder(child);
    eventually("the holder's servers are ready", || {
        home.join("ready").exists()
    })
    .await;
    holder
}

struct Holder(Child);

impl Drop for Holder {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Not a test of its own: the tests above start it and end it.
#[tokio::test]
#[ignore = "started by other tests"]
async fn helper_that_holds_servers() {
    let Some(home) = std::env::var_os("TEST_HOLDER_HOME") else {
        return;
    };
    let options = ServerOptions {
        ports: Ports::Free,
        producers: Vec::new(),
    };
    let home = Home::open(Path::new(&home)).unwrap();
    let servers = Servers::start(home, &options, &silent()).await.unwrap();
    fs::write(servers.home().path().join("ready"), "").unwrap();
    futures::stream::pending::<()>().next().await;
}

/// The processes that were started in this home.
fn pids(home: &Path) -> Vec<String> {
    let files = fs::read_dir(home.join("run")).unwrap();
    files
        .map(|file| fs::read_to_string(file.unwrap().path()).unwrap())
        .collect()
}

fn is_alive(pid: &str) -> bool {
    let state = Command::new("ps")
        .args(["-o", "stat=", "-p", pid])
        .output()
        .unwrap();
    let state = String::from_utf8(state.stdout).unwrap();
    !state.trim().is_empty() && !state.starts_with('Z')
}

/// As root, PostgreSQL's own user must pass through.
fn open_to_all(directory: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o711)).unwrap();
}
