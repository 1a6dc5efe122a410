//! A bank of stub services: they start, crash, come back on their port, and end with the bank.
//!
//! The stub is this test program itself, started again by a small script in place of `quittance`.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test may panic like the test"
)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use local::{
    Bank, BankOptions, GatewayOptions, Home, Part, Ports, Producer, Service, Status, silent,
};

/// A program that behaves as `quittance serve <service>` as far as a supervisor sees.
fn stub(directory: &Path) -> PathBuf {
    let path = directory.join("quittance");
    let this = std::env::current_exe().unwrap();
    let script = format!(
        "#!/bin/sh\nexec '{}' --exact stub_service --ignored --nocapture\n",
        this.display()
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn options(directory: &Path) -> BankOptions {
    fs::set_permissions(directory, fs::Permissions::from_mode(0o711)).unwrap();
    BankOptions {
        home: Home::open(&directory.join("home")).unwrap(),
        program: stub(directory),
        ports: Ports::Free,
        producers: vec![Producer::new("demo-shop")],
        gateway: None,
        environment: Vec::new(),
    }
}

#[tokio::test]
async fn a_killed_part_comes_back_on_its_port() {
    let directory = tempfile::tempdir().unwrap();
    let options = BankOptions {
        gateway: Some(GatewayOptions::default()),
        ..options(directory.path())
    };
    let mut bank = Bank::start(options, &silent()).await.unwrap();
    let urls = bank.status(None);
    for part in [
        Part::Ledger,
        Part::Postgres,
        Part::Nats,
        Part::Auth,
        Part::Payments,
        Part::Gateway,
    ] {
        bank.kill(part);
        assert!(!bank.is_running(part));
        assert_eq!(bank.wait_for_an_end().await, part);
        bank.start_part(part).await.unwrap();
        assert!(bank.is_running(part));
    }
    assert_eq!(bank.status(None), urls);
}

/// nginx answers through its workers, so they must stop too.
#[tokio::test]
async fn a_frozen_gateway_answers_nothing_until_it_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let options = BankOptions {
        gateway: Some(GatewayOptions::default()),
        ..options(directory.path())
    };
    let mut bank = Bank::start(options, &silent()).await.unwrap();
    let status = bank.status(None);
    assert_eq!(status.gateway_answers().await, Some(true));
    bank.freeze(Part::Gateway);
    assert_eq!(status.gateway_answers().await, Some(false));
    bank.thaw(Part::Gateway);
    assert_eq!(status.gateway_answers().await, Some(true));
}

#[tokio::test]
async fn a_service_that_fails_to_start_is_quoted() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = options(directory.path());
    options.environment = vec![(
        Service::Ledger,
        "STUB_FAILS".to_owned(),
        "no money".to_owned(),
    )];
    let error = Bank::start(options, &silent())
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("ledger stopped while starting"), "{error}");
    assert!(error.contains("no money"), "{error}");
    assert!(error.contains("ledger.log"), "{error}");
}

#[tokio::test]
async fn a_variable_set_for_one_service_counts_from_its_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let mut bank = Bank::start(options(directory.path()), &silent())
        .await
        .unwrap();
    bank.set_env(Service::Ledger, "STUB_FAILS", Some("crash point"));
    bank.kill(Part::Ledger);
    assert!(bank.start_part(Part::Ledger).await.is_err());
    bank.set_env(Service::Ledger, "STUB_FAILS", None);
    bank.start_part(Part::Ledger).await.unwrap();
}

#[tokio::test]
async fn a_second_ledger_listens_beside_the_first() {
    let directory = tempfile::tempdir().unwrap();
    let bank = Bank::start(options(directory.path()), &silent())
        .await
        .unwrap();
    let mut second = bank
        .spawn_second(Service::Ledger, "ledger-standby", &[])
        .unwrap();
    second.wait_until_ready().await.unwrap();
    assert_ne!(second.url(), bank.url(Service::Ledger));
    second.process().stop();
    assert!(second.process().ended().unwrap().success());
}

#[tokio::test]
async fn a_stopped_bank_leaves_its_data_and_nothing_that_runs() {
    let directory = tempfile::tempdir().unwrap();
    let bank = Bank::start(options(directory.path()), &silent())
        .await
        .unwrap();
    let home = bank.home().path().to_owned();
    bank.home().publish(&bank.status(None)).unwrap();
    assert_eq!(Status::read(&home).unwrap(), Some(bank.status(None)));
    bank.stop().await.unwrap();
    assert_eq!(Status::read(&home).unwrap(), None);
    assert_eq!(fs::read_dir(home.join("run")).unwrap().count(), 0);
    assert!(home.join("postgres/data").exists());
    let log = fs::read_to_string(home.join("logs/ledger.log")).unwrap();
    assert!(log.contains("stopped in order"), "{log}");
}

/// Not a test of its own: what the script of [`stub`] becomes.
#[test]
#[ignore = "started by the other tests"]
fn stub_service() {
    let Ok(listen) = std::env::var("QUITTANCE_LISTEN") else {
        return;
    };
    if let Ok(reason) = std::env::var("STUB_FAILS") {
        eprintln!("{reason}");
        std::process::exit(1);
    }
    // The console alone is told where the ledger is. It has no login at a database, and one at the broker that reaches
    // nothing but the list of services.
    let is_console = std::env::var("QUITTANCE_LEDGER_URL").is_ok();
    for (name, is_told) in [
        ("NATS_URL", true),
        ("NATS_PASSWORD", true),
        ("NATS_USER", !is_console),
        ("DATABASE_URL", !is_console),
    ] {
        let told = std::env::var(format!("QUITTANCE_{name}"));
        assert_eq!(told.is_ok(), is_told, "{name}");
    }
    // Nobody who serves is told the owner's password.
    std::env::var("QUITTANCE_MIGRATION_DATABASE_URL").unwrap_err();
    let listener = TcpListener::bind(listen).unwrap();
    std::thread::spawn(move || {
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        eprintln!("stopped in order");
        std::process::exit(0);
    });
    for connection in listener.incoming() {
        let mut connection = connection.unwrap();
        let mut line = String::new();
        BufReader::new(&connection).read_line(&mut line).unwrap();
        let status = if line.starts_with("GET /health/ready ") {
            "200 OK"
        } else {
            "404 Not Found"
        };
        write!(connection, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").ok();
    }
}
