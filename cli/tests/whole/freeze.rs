//! Parts that hang instead of dying, and a service that is told to stop under load: everybody goes on afterwards, and each
//! payment is paid once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::future::join_all;
use local::{Part, Service};
use serde_json::Value;

use crate::bank::{KIOSK, PATIENCE, TestBank, payment};
use crate::door::publish;

const PAYMENTS: usize = 120;
/// Longer than heartbeats and probes, shorter than a request may take.
const FROZEN: Duration = Duration::from_secs(3);

/// Sends each payment until it is acknowledged, by whichever entrance; says how many are.
async fn submit(test: &TestBank, payments: &[Value], taken: &AtomicUsize) -> Result<()> {
    let kiosk = test.kiosk().await?;
    let at_the_door = async |payment: &Value| {
        let headers = test.kiosk_headers(payment);
        let sent = publish(&kiosk, KIOSK, headers, payment.to_string().into());
        let sent = tokio::time::timeout(Duration::from_secs(8), sent).await;
        matches!(sent, Ok(Ok(ack)) if ack["error"].is_null())
    };
    let over_http = async |payment: &Value| {
        let sent = test.pay(&test.ada, payment.clone(), None).await;
        matches!(sent, Ok((202, _)))
    };
    let all = join_all(payments.iter().enumerate().map(async |(number, payment)| {
        loop {
            let is_taken = match number % 2 {
                0 => at_the_door(payment).await,
                _ => over_http(payment).await,
            };
            if is_taken {
                taken.fetch_add(1, Ordering::Relaxed);
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }));
    tokio::time::timeout(PATIENCE, all)
        .await
        .context("not all are taken")?;
    Ok(())
}

fn payments(test: &TestBank) -> Vec<Value> {
    (0..PAYMENTS)
        .map(|_| payment(test.adas, test.graces, "1.00"))
        .collect()
}

/// Each was paid once.
async fn all_paid(test: &TestBank) -> Result<()> {
    test.check_invariants().await?;
    let (ada, grace) = (
        test.posted(test.adas).await?,
        test.posted(test.graces).await?,
    );
    ensure!(
        (ada.as_str(), grace.as_str()) == ("880.00", "1120.00"),
        "Ada has {ada}, Grace {grace}"
    );
    Ok(())
}

async fn frozen_under_load(part: Part) -> Result<()> {
    let mut test = TestBank::start().await?;
    let (all, taken) = (payments(&test), AtomicUsize::new(0));
    let (first, rest) = all.split_at(PAYMENTS / 3);
    submit(&test, first, &taken).await?;
    test.bank.freeze(part);
    let (submitted, ()) = {
        let thawing = tokio::time::sleep(FROZEN);
        // The process is signalled by its id, because the bank is in use.
        let pid = test.bank.process_id(part);
        let thaw = async {
            thawing.await;
            let pid = rustix::process::Pid::from_raw(i32::try_from(pid).expect("a process id"));
            rustix::process::kill_process(pid.expect("not zero"), rustix::process::Signal::CONT)
                .expect("it is there");
        };
        tokio::join!(submit(&test, rest, &taken), thaw)
    };
    submitted?;
    ensure!(taken.load(Ordering::Relaxed) == PAYMENTS);
    all_paid(&test).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_broker_delays_payments_and_loses_none() -> Result<()> {
    frozen_under_load(Part::Nats).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_database_delays_payments_and_loses_none() -> Result<()> {
    frozen_under_load(Part::Postgres).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_ledger_delays_payments_and_loses_none() -> Result<()> {
    frozen_under_load(Part::Ledger).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_payments_service_delays_payments_and_loses_none() -> Result<()> {
    frozen_under_load(Part::Payments).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payments_service_told_to_stop_under_load_answers_what_it_has_taken() -> Result<()> {
    let test = TestBank::start().await?;
    let mut second = test.bank.spawn_second(Service::Payments, "second", &[])?;
    second.wait_until_ready().await?;
    let (all, taken) = (payments(&test), AtomicUsize::new(0));
    let kiosk = test.kiosk().await?;
    // With a second process there is always somebody who answers: nobody hears nothing.
    let publishing = join_all(all.iter().map(async |payment| {
        let headers = test.kiosk_headers(payment);
        let ack = publish(&kiosk, KIOSK, headers, payment.to_string().into()).await?;
        taken.fetch_add(1, Ordering::Relaxed);
        ensure!(ack["error"].is_null(), "{ack}");
        anyhow::Ok(())
    }));
    let stopping = async {
        while taken.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        tokio::task::block_in_place(|| second.process().stop());
    };
    let (published, ()) = tokio::join!(publishing, stopping);
    published.into_iter().collect::<Result<Vec<()>>>()?;
    all_paid(&test).await
}
