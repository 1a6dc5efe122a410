//! Readiness follows what a service needs: frozen servers, a lock that somebody else holds, a ledger that is away.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use local::{Part, Service};
use serde_json::Value;
use sqlx::{Connection as _, PgConnection};

use crate::bank::{PATIENCE, TestBank, payment};

/// What a load balancer may be told late, four seconds, and what a busy machine adds.
const SOON: Duration = Duration::from_secs(15);

/// `GET /health/ready`.
async fn readiness(test: &TestBank, service: Service) -> Result<(u16, Value)> {
    let url = format!("{}/health/ready", test.bank.url(service));
    let answer = test.http.get(url).timeout(PATIENCE).send().await?;
    Ok((answer.status().as_u16(), answer.json().await?))
}

/// Waits until a service says this of itself; returns how long that took.
async fn says(
    test: &TestBank,
    service: Service,
    is_it: impl Fn(u16, &Value) -> bool,
) -> Result<Duration> {
    let began = Instant::now();
    loop {
        let (status, body) = readiness(test, service).await?;
        if is_it(status, &body) {
            return Ok(began.elapsed());
        }
        ensure!(began.elapsed() < PATIENCE, "{service} says {status} {body}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn is_ok(status: u16, body: &Value) -> bool {
    status == 200 && body["status"] == "ok"
}

#[tokio::test]
async fn readiness_names_the_frozen_part_within_seconds_and_comes_back() -> Result<()> {
    let mut test = TestBank::start().await?;
    for (part, name) in [(Part::Nats, "NATS"), (Part::Postgres, "PostgreSQL")] {
        for service in Service::ALL {
            says(&test, service, is_ok).await?;
        }
        test.bank.freeze(part);
        let is_named = |status, body: &Value| {
            let detail = body["detail"].as_str().unwrap_or_default();
            status == 503 && detail.contains(&format!("{name} does not answer"))
        };
        let [auth, ledger, payments] = Service::ALL.map(|service| says(&test, service, is_named));
        let (auth, ledger, payments) = tokio::try_join!(auth, ledger, payments)?;
        test.bank.thaw(part);
        let slowest = auth.max(ledger).max(payments);
        ensure!(slowest < SOON, "{name} was named after {slowest:?}");
        for service in Service::ALL {
            let back = says(&test, service, is_ok).await?;
            ensure!(back < 2 * SOON, "{service} came back after {back:?}");
        }
    }
    let due = payment(test.adas, test.graces, "1.00");
    let (status, body) = test.pay(&test.ada, due, Some(20)).await?;
    ensure!(status == 202 && body["status"] == "settled", "{body}");
    test.check_invariants().await.map(drop)
}

#[tokio::test]
async fn while_nobody_leads_the_ledger_is_not_ready_and_payments_says_that_nothing_is_decided()
-> Result<()> {
    let mut test = TestBank::start().await?;
    test.bank.stop_part(Part::Ledger);
    let url = test.bank.servers().superuser_database_url(Service::Ledger);
    let mut stranger = PgConnection::connect(&url).await?;
    sqlx::query("select pg_advisory_lock(x'51554954'::bigint)")
        .execute(&mut stranger)
        .await?;
    test.bank.start_part(Part::Ledger).await?;

    let due = payment(test.adas, test.graces, "1.00");
    let (status, body) = test.pay(&test.ada, due.clone(), None).await?;
    ensure!(status == 202, "{body}");
    says(&test, Service::Ledger, |status, body| {
        let detail = body["detail"].as_str().unwrap_or_default();
        status == 503 && detail.contains("the leader has answered nothing for")
    })
    .await?;
    // It takes payments and keeps them: it is ready, and says that they wait.
    says(&test, Service::Payments, |status, body| {
        let ledger = body["parts"]["the ledger"].as_str().unwrap_or_default();
        status == 200 && body["status"] == "degraded" && ledger.contains("has answered nothing")
    })
    .await?;
    let log = std::fs::read_to_string(test.bank.home().log(Part::Ledger))?;
    ensure!(
        log.contains("another one leads this database") && log.contains("postgres"),
        "{log}"
    );

    drop(stranger);
    for service in Service::ALL {
        says(&test, service, is_ok).await?;
    }
    let (status, body) = test.pay(&test.ada, due, Some(20)).await?;
    ensure!(status == 202 && body["status"] == "settled", "{body}");
    test.check_invariants().await.map(drop)
}
