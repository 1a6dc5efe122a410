//! `compose.tls.yaml` and what it turns on: a broker and services that speak TLS.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use common::broker;
use local::testing;
use serde_json::{Map, Value, json};

use crate::compose::{MIGRATIONS, SERVICES, containers, environment, options};
use crate::servers::{as_in_containers, broker_command, migrate_and_serve};
use crate::{strings, yaml};

/// What is laid over each container.
fn overlay() -> Map<String, Value> {
    let overlay = yaml("compose.tls.yaml");
    overlay["services"]
        .as_object()
        .expect("services by name")
        .clone()
}

#[test]
fn tls_is_laid_over_containers_that_are_there_and_changes_nothing_else() {
    let containers = containers();
    for (name, laid) in overlay() {
        assert!(containers.contains_key(&name), "{name}");
        for key in laid.as_object().expect("settings by name").keys() {
            let known = ["command", "environment", "secrets"];
            assert!(known.contains(&key.as_str()), "{name}: {key}");
        }
    }
    for service in SERVICES {
        let options = options(&["serve", service]);
        let own = environment(&containers[service]);
        let laid = environment(&overlay()[service]);
        for variable in laid.keys() {
            assert!(options.contains(variable), "{service} has no {variable}");
        }
        let [plain, tls] = [own, laid].map(|all| all["QUITTANCE_NATS_URL"].clone());
        assert_eq!(tls, plain.replace("nats://", "tls://"));
    }
    for name in SERVICES.into_iter().chain(MIGRATIONS) {
        assert_eq!(overlay()[name]["secrets"], json!(["tls_ca"]), "{name}");
    }

    let laid = &overlay()["postgres"]["command"];
    let mut command = strings(&containers["postgres"]["command"]);
    command.extend([
        "-cssl=on",
        "-cssl_cert_file=/run/secrets/postgres_tls_certificate",
        "-cssl_key_file=/run/secrets/postgres_tls_key",
    ]);
    assert_eq!(strings(laid), command);
}

#[test]
fn each_file_for_tls_is_named_and_goes_to_those_who_need_it() {
    let compose = yaml("compose.tls.yaml");
    let declared = compose["secrets"].as_object().unwrap();
    for (name, secret) in declared {
        let file = format!(".quittance/secrets/{name}");
        assert_eq!(secret, &json!({ "file": file }));
    }
    let declared: BTreeSet<&str> = declared.keys().map(String::as_str).collect();
    let overlay = overlay();
    let given = overlay
        .values()
        .flat_map(|laid| strings(&laid["secrets"]))
        .collect();
    assert_eq!(declared, given);
}

/// A certificate for `localhost` that vouches for itself, and its key, as the files of a broker.
fn certify(secrets: &Path) -> Result<[String; 2]> {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let certificate = certified.cert.pem();
    let key = certified.signing_key.serialize_pem();
    fs::write(secrets.join("tls_ca"), &certificate)?;
    fs::write(secrets.join("nats_tls_certificate"), &certificate)?;
    fs::write(secrets.join("nats_tls_key"), &key)?;
    Ok([certificate, key])
}

#[tokio::test]
async fn the_broker_of_a_container_speaks_tls_when_it_is_given_a_certificate() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let [secrets, store] = ["secrets", "store"].map(|name| directory.path().join(name));
    local::Secrets::make_files(&secrets, None)?;
    certify(&secrets)?;
    let checked = broker_command(&secrets)?.arg("-t").output()?;
    ensure!(checked.status.success(), "{checked:?}");

    let [port, monitor] = [
        local::testing::free_address().port(),
        local::testing::free_address().port(),
    ];
    let mut broker = broker_command(&secrets)?
        .env("NATS_LISTEN", format!("\"127.0.0.1:{port}\""))
        .env("NATS_MONITOR", format!("\"127.0.0.1:{monitor}\""))
        .env("NATS_STORE_DIR", format!("\"{}\"", store.display()))
        .env("STAGING", directory.path().join("nowhere"))
        .spawn()?;
    let connected = async {
        let config = broker::Config {
            url: format!("tls://localhost:{port}"),
            user: "ledger".to_owned(),
            password: fs::read_to_string(secrets.join("nats_ledger"))?,
            ca: Some(secrets.join("tls_ca")),
        };
        while broker::connect(&config).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::Ok(())
    };
    let connected = tokio::time::timeout(Duration::from_secs(30), connected).await;
    broker.kill()?;
    broker.wait()?;
    connected.context("nobody can connect with TLS")?
}

/// Without their databases' part of it: our PostgreSQL is built without TLS.
#[tokio::test(flavor = "multi_thread")]
async fn the_services_start_with_tls_to_the_broker() -> Result<()> {
    let (mut servers, secrets) = as_in_containers().await?;
    let [certificate, key] = certify(secrets.path())?;
    testing::speak_tls(&mut servers, &certificate, &key).await;
    let nats = servers
        .nats_url()
        .replace("nats://127.0.0.1", "tls://localhost");
    let environment = |container: &str| -> BTreeMap<String, String> {
        let mut all = environment(&containers()[container]);
        let laid = &overlay()[container];
        if laid["environment"].is_object() {
            all.extend(environment(laid));
            all.insert("QUITTANCE_NATS_URL".to_owned(), nats.clone());
        }
        all
    };
    migrate_and_serve(secrets.path(), environment).await
}
