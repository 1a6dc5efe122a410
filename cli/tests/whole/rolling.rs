//! One instance after the other is replaced under load, and the gateway learns of it from the broker.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use local::{Part, Service};
use rust_decimal::Decimal;

use crate::bank::{PATIENCE, TestBank, payment};
use crate::gateway::pay_surely;

const CLIENTS: usize = 4;
/// Requests that pass one after the other once the gateway has read its configuration again.
const PASSING: usize = 20;

/// Has the gateway ask so many instances of a service: one that has just come may not be announced yet.
fn look_until(test: &mut TestBank, service: Service, instances: usize) -> Result<()> {
    let places = test.bank.home().path().join("gateway/places.conf");
    let began = Instant::now();
    loop {
        look_again(test, &places)?;
        let text = std::fs::read_to_string(&places)?;
        let start = format!("upstream {} {{", service.name());
        let upstream = text.split(&start).nth(1).context("an upstream")?;
        let upstream = upstream.split('}').next().context("its end")?;
        if upstream.matches("server ").count() == instances {
            test.bank.reload_gateway();
            return Ok(());
        }
        ensure!(began.elapsed() < PATIENCE, "{service:?}: {upstream}");
    }
}

fn look_again(test: &TestBank, places: &Path) -> Result<()> {
    let home = test.bank.home().path();
    let looked = Command::new(env!("CARGO_BIN_EXE_quittance"))
        .args(["services", "--upstreams"])
        .arg(places)
        .arg("--home")
        .arg(home)
        .output()?;
    let (said, complained) = (
        String::from_utf8(looked.stdout)?,
        String::from_utf8(looked.stderr)?,
    );
    ensure!(looked.status.success(), "{said}{complained}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn services_are_replaced_under_load_and_no_payment_is_lost_or_doubled() -> Result<()> {
    let mut test = TestBank::start_behind_gateway(local::Tls::Off).await?;
    // As `up` leaves it for other commands.
    let status = serde_json::to_vec(&test.bank.status(None))?;
    std::fs::write(test.bank.home().path().join("status.json"), status)?;
    let gateway = test.bank.gateway_url().context("it has one")?;
    let url = format!("{gateway}/payment/payments");
    let before: Decimal = test.posted(test.graces).await?.parse()?;
    // A connection of many requests may be closed by nginx' reading again just when the next is sent.
    let http = reqwest::Client::builder()
        .pool_max_idle_per_host(0)
        .build()?;
    let is_over = Arc::new(AtomicBool::new(false));
    let paid = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (http, url, token) = (http.clone(), url.clone(), test.ada.clone());
            let (from, to) = (test.adas, test.graces);
            let (is_over, paid) = (is_over.clone(), paid.clone());
            tokio::spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    pay_surely(&http, &url, &token, &payment(from, to, "0.01")).await?;
                    paid.fetch_add(1, Ordering::Relaxed);
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for (service, part) in [
        (Service::Auth, Part::Auth),
        (Service::Ledger, Part::Ledger),
        (Service::Payments, Part::Payments),
    ] {
        let mut next = test.bank.spawn_second(service, "next", &[])?;
        next.wait_until_ready().await?;
        look_until(&mut test, service, 2)?;
        test.bank.stop_part(part);
        // Nobody has told the gateway, but that there are two: it finds out.
        let health = format!("{gateway}{}/health/live", prefix(service));
        passes(&http, &health).await?;
        look_until(&mut test, service, 1)?;
        // The first one comes back as the new version, and the one in between leaves.
        test.bank.start_part(part).await?;
        look_until(&mut test, service, 2)?;
        next.process().stop();
        look_until(&mut test, service, 1)?;
    }
    is_over.store(true, Ordering::Relaxed);
    for client in clients {
        tokio::time::timeout(PATIENCE, client).await???;
    }
    let paid = i64::try_from(paid.load(Ordering::Relaxed))?;
    let after: Decimal = test.posted(test.graces).await?.parse()?;
    ensure!(
        after - before == Decimal::new(paid, 2),
        "{before} {after} {paid}"
    );
    test.check_invariants().await.map(drop)
}

/// Returns when this many requests have passed in a row.
async fn passes(http: &reqwest::Client, url: &str) -> Result<()> {
    let began = Instant::now();
    let mut passed = 0;
    while passed < PASSING {
        let status = http.get(url).send().await?.status();
        passed = if status == 200 { passed + 1 } else { 0 };
        ensure!(began.elapsed() < PATIENCE, "{url}: {status}");
    }
    Ok(())
}

fn prefix(service: Service) -> &'static str {
    match service {
        Service::Auth => "/auth",
        Service::Ledger => "/bank",
        Service::Payments => "/payment",
    }
}
