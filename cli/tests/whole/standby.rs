//! A second ledger waits for the first one's end, and the first one leaves in order when it is told to.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use common::broker;
use common::wire::{REQUESTS, SETTLEMENTS};
use local::{Part, Service};
use sqlx::{Connection as _, PgConnection};

use crate::bank::{TestBank, payment};

/// Deaths of a leader, one after the other.
const DEATHS: usize = 20;
/// From the death to the answer of a payment that was asked for behind it. The standby asks five times a second.
const TAKEOVER_MAX: Duration = Duration::from_secs(2);
/// A few may have met a machine that was busy with something else.
const SLOW_MAX: Duration = Duration::from_secs(5);
const SLOWER_THAN_THAT: usize = 2;
/// Payments that wait when the ledger is told to stop.
const BACKLOG: usize = 60;
/// How often it is told to stop, and how often at most until something waited then.
const ROUNDS: u32 = 5;
const ROUNDS_MAX: u32 = 30;
/// So that the backlog makes many batches.
const SMALL_BATCH: (&str, &str) = ("QUITTANCE_BATCH_MAX", "2");

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_takes_over_within_two_seconds() -> Result<()> {
    let mut test = TestBank::start().await?;
    let mut second = test.bank.spawn_second(Service::Ledger, "ledger-2", &[])?;
    second.wait_until_ready().await?;
    let mut took = Vec::new();
    for death in 0..DEATHS {
        ask(&test, 5).await?;
        let died = Instant::now();
        let is_first = death % 2 == 0;
        if is_first {
            test.bank.kill(Part::Ledger);
        } else {
            second.process().kill_hard();
        }
        let seq = ask(&test, 1).await?;
        test.answer(seq).await?;
        took.push(died.elapsed());
        // Whoever died waits in its turn.
        if is_first {
            test.bank.start_part(Part::Ledger).await?;
        } else {
            second = test.bank.spawn_second(Service::Ledger, "ledger-2", &[])?;
            second.wait_until_ready().await?;
        }
    }
    test.check_invariants().await?;
    took.sort_unstable();
    let (median, longest) = (took[DEATHS / 2], took[DEATHS - 1]);
    eprintln!("{DEATHS} takeovers: median {median:?}, longest {longest:?}");
    let nearly_all = took[DEATHS - 1 - SLOWER_THAN_THAT];
    ensure!(median <= TAKEOVER_MAX && nearly_all <= SLOW_MAX, "{took:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_is_told_to_stop_finishes_the_batch_in_work() -> Result<()> {
    let mut test = TestBank::start_with(&[SMALL_BATCH]).await?;
    let audit = test.audit().await?;
    let mut stopped_in_work = 0;
    for round in 0..ROUNDS_MAX {
        if round >= ROUNDS && stopped_in_work > 0 {
            break;
        }
        test.bank.stop_part(Part::Ledger);
        ask(&test, BACKLOG).await?;
        let waiting = broker::last_sequence(&audit, REQUESTS).await?;
        test.bank.start_part(Part::Ledger).await?;
        test.bank.stop_part(Part::Ledger);
        let mut database = PgConnection::connect(&test.bank.servers().audit_database_url()).await?;
        let decided: i64 = sqlx::query_scalar("select seq from cursor")
            .fetch_one(&mut database)
            .await?;
        let decided = u64::try_from(decided)?;
        let published = broker::last_sequence(&audit, SETTLEMENTS).await?;
        ensure!(
            published == decided,
            "{decided} are decided and {published} published: a batch was left"
        );
        stopped_in_work += u32::from(decided < waiting);
        test.bank.start_part(Part::Ledger).await?;
        test.answer(waiting).await?;
    }
    let log = std::fs::read_to_string(test.bank.home().log(Part::Ledger))?;
    ensure!(log.contains("finished what was begun"), "{log}");
    ensure!(
        stopped_in_work > 0,
        "it was never told to stop while something waited"
    );
    test.check_invariants().await.map(drop)
}

/// Has the shop ask for payments. Returns the place of the last.
async fn ask(test: &TestBank, count: usize) -> Result<u64> {
    let client = test.producer().await?;
    let mut last = 0;
    for _ in 0..count {
        let payment = payment(test.adas, test.graces, "0.01");
        last = test
            .publish(&client, test.headers(&payment), payment.to_string())
            .await?;
    }
    Ok(last)
}
