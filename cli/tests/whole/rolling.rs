//! One instance after the other is replaced under load: the gateway learns of it from the broker, and clients notice nothing.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use local::{Part, Service};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::bank::{PATIENCE, TestBank, payment};

/// For ever, as these tests see it: they end it when they have seen that nginx knows.
const LEAVE: (&str, &str) = ("QUITTANCE_LEAVE_SECONDS", "3600");

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
            return reload(test);
        }
        ensure!(began.elapsed() < PATIENCE, "{service:?}: {upstream}");
    }
}

/// Has nginx read its configuration again, and waits until nobody works by the old one.
fn reload(test: &mut TestBank) -> Result<()> {
    let log = test.bank.home().path().join("logs/gateway.log");
    let workers = || -> Result<(usize, usize)> {
        let log = std::fs::read_to_string(&log)?;
        let count = |what: &str| log.matches(what).count();
        Ok((count("start worker process "), count("exited with code 0")))
    };
    let (started, ended) = workers()?;
    test.bank.reload_gateway();
    let began = Instant::now();
    while workers()? != (2 * started - ended, started) {
        ensure!(began.elapsed() < PATIENCE, "{:?}", workers());
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
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

/// What a client does at the gateway, over and over.
#[derive(Clone, Copy)]
enum Asking {
    Payments,
    Account,
    Keys,
}

/// Asks until `is_over`; no answer may be a failure. The number of payments that were accepted.
async fn ask_on(test: Arc<Asker>, asking: Asking, is_over: Arc<AtomicBool>) -> Result<usize> {
    let mut asked = 0;
    while !is_over.load(Ordering::Relaxed) {
        let url = |path: &str| format!("{}{path}", test.gateway);
        let request = match asking {
            Asking::Payments => {
                let payment = payment(test.from, test.to, "0.01");
                test.http.post(url("/payment/payments")).json(&payment)
            }
            Asking::Account => test.http.get(url(&format!("/bank/accounts/{}", test.from))),
            Asking::Keys => test.http.get(url("/auth/.well-known/jwks.json")),
        };
        let answer = request.bearer_auth(&test.token).send().await?;
        let expected = if matches!(asking, Asking::Payments) {
            202
        } else {
            200
        };
        let status = answer.status();
        ensure!(
            status == expected,
            "{status} after {asked}: {}",
            answer.text().await?
        );
        asked += 1;
    }
    Ok(asked)
}

/// What clients need to ask.
struct Asker {
    http: reqwest::Client,
    gateway: String,
    token: String,
    from: Uuid,
    to: Uuid,
}

#[tokio::test(flavor = "multi_thread")]
async fn services_are_replaced_under_load_and_no_client_notices() -> Result<()> {
    let mut test = TestBank::start_behind_gateway(local::Tls::Off).await?;
    // As `up` leaves it for other commands.
    let status = serde_json::to_vec(&test.bank.status(None))?;
    std::fs::write(test.bank.home().path().join("status.json"), status)?;
    for service in [Service::Auth, Service::Ledger, Service::Payments] {
        test.bank.set_env(service, LEAVE.0, Some(LEAVE.1));
        test.bank.start_part(service.into()).await?;
    }
    let before: Decimal = test.posted(test.graces).await?.parse()?;
    let asker = Arc::new(Asker {
        // A connection of many requests may be closed by nginx' reading again just when the next is sent.
        http: reqwest::Client::builder()
            .pool_max_idle_per_host(0)
            .build()?,
        gateway: test.bank.gateway_url().context("it has one")?,
        token: test.ada.clone(),
        from: test.adas,
        to: test.graces,
    });
    let is_over = Arc::new(AtomicBool::new(false));
    let clients = [
        Asking::Payments,
        Asking::Payments,
        Asking::Account,
        Asking::Keys,
    ]
    .map(|asking| tokio::spawn(ask_on(asker.clone(), asking, is_over.clone())));
    for (service, part) in [
        (Service::Auth, Part::Auth),
        (Service::Ledger, Part::Ledger),
        (Service::Payments, Part::Payments),
    ] {
        let mut next = test.bank.spawn_second(service, "next", &[])?;
        next.wait_until_ready().await?;
        look_until(&mut test, service, 2)?;
        test.bank.ask_to_leave(part);
        look_until(&mut test, service, 1)?;
        ensure!(test.bank.is_running(part), "it was gone before nginx knew");
        // Who has no time left asks once more.
        test.bank.ask_to_leave(part);
        test.wait_until_dead(part).await?;
        // The first one comes back as the new version, and the one in between leaves.
        test.bank.start_part(part).await?;
        look_until(&mut test, service, 2)?;
        next.process().ask_to_leave();
        look_until(&mut test, service, 1)?;
        ensure!(next.process().is_running(), "it was gone before nginx knew");
        // The other way in which it ends at once: whoever started it is gone. What does not end is killed after 20 s.
        let began = Instant::now();
        next.process().stop();
        ensure!(began.elapsed().as_secs() < 15, "it was killed");
    }
    is_over.store(true, Ordering::Relaxed);
    let mut asked = Vec::new();
    for client in clients {
        asked.push(tokio::time::timeout(PATIENCE, client).await???);
    }
    test.check_invariants().await?;
    let paid = i64::try_from(asked[0] + asked[1])?;
    let after: Decimal = test.posted(test.graces).await?.parse()?;
    ensure!(
        after - before == Decimal::new(paid, 2),
        "{before} {after} {paid}"
    );
    ensure!(asked.iter().all(|asked| *asked > 0), "{asked:?}");
    Ok(())
}
