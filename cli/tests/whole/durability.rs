//! A ledger leads only where what was acknowledged is on a disk; an experiment says that it is one.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use local::{Part, Service};
use serde_json::Value;
use sqlx::{Connection as _, PgConnection};

use crate::bank::{TestBank, payment};

/// The ledger does not lead, and these words say why.
async fn is_refused(test: &mut TestBank, because: &[&str]) -> Result<()> {
    test.bank.spawn_part(Service::Ledger)?;
    test.wait_until_dead(Part::Ledger).await?;
    let log = fs::read_to_string(test.bank.home().log(Part::Ledger))?;
    // The last start is the end of the log.
    let said = log.rsplit("serving HTTP").next().unwrap_or_default();
    for words in because {
        ensure!(said.contains(words), "not {words:?}: {said}");
    }
    ensure!(!said.contains("leading"), "{said}");
    Ok(())
}

/// Has the broker acknowledge before it has written to the disk, as it does by itself.
async fn sync_sometimes(test: &mut TestBank) -> Result<()> {
    let configuration = test.bank.home().path().join("nats/nats-server.conf");
    let text = fs::read_to_string(&configuration)?;
    let always = "sync_interval: always";
    ensure!(text.contains(always), "{text}");
    fs::write(&configuration, text.replace(always, "sync_interval: 90s"))?;
    test.bank.start_part(Part::Nats).await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_ledger_leads_a_database_that_may_lose_what_it_commits() -> Result<()> {
    let mut test = TestBank::start().await?;
    test.bank.stop_part(Part::Ledger);
    test.bank
        .restart_postgres_with(&["fsync=off", "full_page_writes=off"])
        .await?;
    let because = [
        "PostgreSQL has fsync=off: set it to on",
        "PostgreSQL has full_page_writes=off",
        "QUITTANCE_UNSAFE_DURABILITY",
    ];
    is_refused(&mut test, &because).await?;

    test.bank.restart_postgres_with(&[]).await?;
    let url = test.bank.servers().superuser_database_url(Service::Ledger);
    let mut superuser = PgConnection::connect(&url).await?;
    // A role's own setting counts, whatever the server's is.
    sqlx::raw_sql("alter role ledger set synchronous_commit = off")
        .execute(&mut superuser)
        .await?;
    let because = ["PostgreSQL has synchronous_commit=off: set it to on, for the server and"];
    is_refused(&mut test, &because).await?;

    sqlx::raw_sql("alter role ledger reset synchronous_commit")
        .execute(&mut superuser)
        .await?;
    test.bank.start_part(Part::Ledger).await?;
    test.check_invariants().await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_ledger_leads_behind_a_broker_that_acknowledges_before_it_writes() -> Result<()> {
    let mut test = TestBank::start().await?;
    test.bank.stop_part(Part::Ledger);
    sync_sometimes(&mut test).await?;
    let because = [
        "the NATS server quittance has sync_interval=90s: set `sync_interval: always`",
        "QUITTANCE_UNSAFE_DURABILITY",
    ];
    is_refused(&mut test, &because).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_experiment_without_durability_says_so_at_every_start() -> Result<()> {
    let mut test = TestBank::start().await?;
    test.bank
        .set_env(Service::Ledger, "QUITTANCE_UNSAFE_DURABILITY", Some("true"));
    test.bank.stop_part(Part::Ledger);
    sync_sometimes(&mut test).await?;
    for start in 1..=2 {
        test.bank.start_part(Part::Ledger).await?;
        let due = payment(test.adas, test.graces, "1.00");
        let (status, body) = test.pay(&test.ada, due, Some(20)).await?;
        ensure!(status == 202 && body["status"] == "settled", "{body}");
        let log = fs::read_to_string(test.bank.home().log(Part::Ledger))?;
        let said = log
            .matches("EXPERIMENT: QUITTANCE_UNSAFE_DURABILITY is set")
            .count();
        let named = log.matches("has sync_interval=90s").count();
        ensure!(said == start && named >= start, "{said} and {named}: {log}");
        let url = format!("{}/health/ready", test.bank.url(Service::Ledger));
        let health: Value = test.http.get(url).send().await?.json().await?;
        let durability = health["parts"]["durability"].as_str();
        let durability = durability.context("not degraded")?;
        ensure!(
            health["status"] == "degraded" && durability.contains("an experiment"),
            "{health}"
        );
    }
    Ok(())
}
