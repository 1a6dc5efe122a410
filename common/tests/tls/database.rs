//! A database with TLS, through the code with which services find theirs.

use std::time::Duration;

use common::service::{Database, Readiness, watch_database};
use local::{Service, testing};
use sqlx::postgres::PgPoolOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use crate::Authority;
use crate::terminator::Terminator;

/// The probe asks every second; this is some questions.
const WATCHED: Duration = Duration::from_secs(4);

/// This URL at another place, verified in full against this authority.
fn verified(url: &str, place: &str, authority: &Authority) -> Database {
    let (login, rest) = url.split_once('@').unwrap();
    let (_, rest) = rest.split_once('/').unwrap();
    let tls = format!(
        "sslmode=verify-full&sslrootcert={}",
        authority.file().display()
    );
    let rest = rest.replace("sslmode=disable", &tls);
    Database {
        url: format!("{login}@{place}/{rest}").parse().unwrap(),
    }
}

async fn connect(database: Database) -> Result<(), String> {
    let connection = database.options().unwrap().connect().await;
    let connection = connection.map_err(|error| error.to_string())?;
    connection.close().await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_database_is_trusted_whose_authority_the_url_names_and_no_other() {
    let [authority, other] = ["ours", "another"].map(Authority::named);
    let servers = testing::servers().await;
    let url = servers.database_url(Service::Ledger);
    let terminator = Terminator::of(&servers, &authority).await;
    let [by_name, by_address] =
        ["localhost", "127.0.0.1"].map(|host| format!("{host}:{}", terminator.port));
    connect(verified(&url, &by_name, &authority)).await.unwrap();

    let without = servers.postgres_address().replace("postgres://", "");
    for (place, authority, reason) in [
        (&by_address, &authority, "certificate not valid for name"),
        (&by_name, &other, "UnknownIssuer"),
        (&without, &authority, "server does not support TLS"),
    ] {
        let refusal = connect(verified(&url, place, authority)).await.unwrap_err();
        assert!(refusal.contains(reason), "{refusal}");
    }
    assert_eq!(terminator.sessions(), 1);
}

#[tokio::test]
async fn a_database_with_tls_is_watched_without_filling_its_log() {
    let authority = Authority::named("ours");
    let servers = testing::servers().await;
    let url = servers.database_url(Service::Ledger);
    let terminator = Terminator::of(&servers, &authority).await;
    let place = format!("localhost:{}", terminator.port);
    let options = verified(&url, &place, &authority).options().unwrap();
    let readiness = Readiness::starting();
    readiness.started();
    // Nobody works with it here.
    let pool = PgPoolOptions::new().connect_lazy_with(options.clone());
    let watching = watch_database(&readiness, &options, &pool);
    drop(tokio::time::timeout(WATCHED, watching).await);
    assert!(readiness.parts().missing.is_empty());
    // The one that stays, and new ones.
    assert!(terminator.sessions() > 2);
    assert!(terminator.refused() <= 1);
}
