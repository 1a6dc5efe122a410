//! Kills, as by `kill -9`, at every place that matters. Afterwards every request has exactly one answer, in its place,
//! and the books agree with the log.

use anyhow::{Context as _, Result, ensure};
use common::broker;
use common::wire::SETTLEMENTS;
use local::{Part, Service};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::bank::{PATIENCE, TestBank, payment};

/// Enough for several batches of [`SMALL_BATCH`].
const PAYMENTS: usize = 120;
/// So that a few payments make several batches.
const SMALL_BATCH: (&str, &str) = ("QUITTANCE_BATCH_MAX", "10");

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_killed_after_the_commit_and_before_the_publish_publishes_later() -> Result<()> {
    ledger_dies_at("after-commit").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_killed_before_the_write_decides_again() -> Result<()> {
    ledger_dies_at("before-write").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_killed_between_an_opened_account_and_its_payments_does_both_later() -> Result<()>
{
    let mut test = TestBank::start_with(&[]).await?;
    test.bank.set_env(
        Service::Ledger,
        "QUITTANCE_CRASH_AT",
        Some("before-payments"),
    );
    test.bank.start_part(Part::Ledger).await?;
    let account = Uuid::now_v7();
    let open = json!({"account_id": account, "owner": "bank", "currency": "EUR"});
    let opened = test.open(open.clone()).await;
    ensure!(opened.is_err(), "it did not die");
    test.wait_until_dead(Part::Ledger).await?;
    let (_, body) = test
        .pay(&test.staff, payment(test.cash, account, "5.00"), None)
        .await?;
    let seq = body["request_seq"].as_u64().context("no sequence")?;
    test.bank
        .set_env(Service::Ledger, "QUITTANCE_CRASH_AT", None);
    test.bank.start_part(Part::Ledger).await?;
    let settlement = test.settlement(seq).await?;
    ensure!(settlement.reason.is_none(), "{settlement:?}");
    test.check_invariants().await?;
    ensure!(test.posted(account).await? == "5.00");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_killed_between_the_answer_of_a_batch_and_its_postings_does_both_later()
-> Result<()> {
    let mut test = TestBank::start_with(&[]).await?;
    let ledger = Service::Ledger;
    test.bank
        .set_env(ledger, "QUITTANCE_CRASH_AT", Some("before-copy"));
    // The first is before the ids that the batch used up.
    test.bank
        .set_env(ledger, "QUITTANCE_CRASH_VISIT", Some("2"));
    test.bank.start_part(Part::Ledger).await?;
    let before = test.posted(test.graces).await?;
    let pays = |amount: &str| json!({"payment_id": Uuid::now_v7(), "creditor_account": test.graces, "amount": amount});
    let batch = json!({
        "batch_id": Uuid::now_v7(), "debtor_account": test.adas, "currency": "EUR",
        "payments": [pays("1.00"), pays("2.50")],
    });
    let (_, taken) = test
        .post(
            Service::Payments,
            "/payment-batches",
            &test.ada,
            &batch,
            None,
        )
        .await?;
    let seq = taken["request_seq"].as_u64();
    let seq = seq.with_context(|| format!("no sequence: {taken}"))?;
    test.wait_until_dead(Part::Ledger).await?;
    test.bank.set_env(ledger, "QUITTANCE_CRASH_AT", None);
    test.bank.start_part(Part::Ledger).await?;
    let answer = test.answer(seq).await?;
    let answer: Value = serde_json::from_slice(&answer.payload)?;
    ensure!(answer["settled"] == 2, "{answer}");
    test.check_invariants().await?;
    let posted: Decimal = test.posted(test.graces).await?.parse()?;
    let before: Decimal = before.parse()?;
    ensure!(posted - before == Decimal::new(350, 2), "{before} {posted}");
    Ok(())
}

async fn ledger_dies_at(place: &str) -> Result<()> {
    let mut test = TestBank::start_with(&[SMALL_BATCH]).await?;
    test.bank
        .set_env(Service::Ledger, "QUITTANCE_CRASH_AT", Some(place));
    test.bank
        .set_env(Service::Ledger, "QUITTANCE_CRASH_VISIT", Some("3"));
    test.bank.start_part(Part::Ledger).await?;
    let payments = small_payments(&test);
    submit(&test, &payments).await?;
    test.wait_until_dead(Part::Ledger).await?;
    let streams = test.audit().await?;
    let answered = broker::last_sequence(&streams, SETTLEMENTS).await?;
    ensure!(
        answered < broker::last_sequence(&streams, "REQUESTS").await?,
        "it died too late to matter"
    );
    test.bank
        .set_env(Service::Ledger, "QUITTANCE_CRASH_AT", None);
    test.bank.start_part(Part::Ledger).await?;
    all_settled(&test).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_killed_between_two_atomic_batches_goes_on_behind_the_last_one() -> Result<()> {
    let mut test = TestBank::start_with(&[("QUITTANCE_BATCH_MAX", "50")]).await?;
    // A first death leaves many answers decided and unpublished …
    test.bank.stop_part(Part::Ledger);
    submit(&test, &small_payments(&test)).await?;
    test.bank
        .set_env(Service::Ledger, "QUITTANCE_CRASH_AT", Some("after-commit"));
    let mut database = PgConnection::connect(&test.bank.servers().audit_database_url()).await?;
    let audit = test.audit().await?;
    let before = loop {
        test.bank.spawn_part(Service::Ledger)?;
        test.wait_until_dead(Part::Ledger).await?;
        let published = broker::last_sequence(&audit, SETTLEMENTS).await?;
        let decided: i64 = sqlx::query_scalar("select seq from cursor")
            .fetch_one(&mut database)
            .await?;
        // A slow broker may have handed out fewer at once.
        if u64::try_from(decided)? >= published + 20 {
            break published;
        }
    };
    // … a second one comes in the middle of publishing them in smaller batches.
    test.bank
        .set_env(Service::Ledger, SMALL_BATCH.0, Some(SMALL_BATCH.1));
    test.bank.set_env(
        Service::Ledger,
        "QUITTANCE_CRASH_AT",
        Some("between-batches"),
    );
    test.bank
        .set_env(Service::Ledger, "QUITTANCE_CRASH_VISIT", Some("2"));
    test.bank.spawn_part(Service::Ledger)?;
    test.wait_until_dead(Part::Ledger).await?;
    let between = broker::last_sequence(&test.audit().await?, SETTLEMENTS).await?;
    ensure!(
        between == before + 20,
        "published {before} and then {between}: not two batches of ten"
    );
    test.bank
        .set_env(Service::Ledger, "QUITTANCE_CRASH_AT", None);
    test.bank.start_part(Part::Ledger).await?;
    all_settled(&test).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_killed_anywhere_loses_nothing() -> Result<()> {
    let mut test = TestBank::start_with(&[SMALL_BATCH]).await?;
    let payments = small_payments(&test);
    for portion in payments.chunks(PAYMENTS / 4) {
        submit(&test, portion).await?;
        // Wherever it is just now.
        test.bank.kill(Part::Ledger);
        test.bank.start_part(Part::Ledger).await?;
    }
    all_settled(&test).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_nats_server_loses_nothing_that_it_has_acked() -> Result<()> {
    let mut test = TestBank::start_with(&[SMALL_BATCH]).await?;
    let payments = small_payments(&test);
    let (first, second) = payments.split_at(PAYMENTS / 2);
    submit(&test, first).await?;
    test.bank.kill(Part::Nats);
    test.bank.start_part(Part::Nats).await?;
    // Without anything new to do, the ledger publishes what it could not publish when the broker died.
    test.check_invariants().await?;
    submit(&test, second).await?;
    all_settled(&test).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_in_the_middle_of_a_backlog_goes_on_when_the_broker_is_back() -> Result<()> {
    let mut test = TestBank::start_with(&[SMALL_BATCH]).await?;
    test.bank.stop_part(Part::Ledger);
    let before = broker::last_sequence(&test.audit().await?, SETTLEMENTS).await?;
    submit(&test, &small_payments(&test)).await?;
    test.bank.start_part(Part::Ledger).await?;
    // It has read all of them by then, so that it decides on until every place behind it is taken.
    test.answer(before + 1).await?;
    test.bank.kill(Part::Nats);
    test.bank.start_part(Part::Nats).await?;
    all_settled(&test).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_postgresql_loses_nothing_that_it_has_committed() -> Result<()> {
    let mut test = TestBank::start_with(&[SMALL_BATCH]).await?;
    let payments = small_payments(&test);
    let (first, second) = payments.split_at(PAYMENTS / 2);
    submit(&test, first).await?;
    test.bank.kill(Part::Postgres);
    submit(&test, second).await?;
    test.bank.start_part(Part::Postgres).await?;
    all_settled(&test).await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_ledgers_one_works_and_the_other_takes_over() -> Result<()> {
    let mut test = TestBank::start_with(&[SMALL_BATCH]).await?;
    let mut second = test.bank.spawn_second(Service::Ledger, "ledger-2", &[])?;
    second.wait_until_ready().await?;
    let payments = small_payments(&test);
    let (before, after) = payments.split_at(PAYMENTS / 2);
    submit(&test, before).await?;
    test.bank.kill(Part::Ledger);
    submit(&test, after).await?;
    test.check_invariants().await?;
    // The first comes back and waits in its turn; it answers HTTP all the same.
    test.bank.start_part(Part::Ledger).await?;
    all_settled(&test).await?;
    let log = std::fs::read_to_string(test.bank.home().path().join("logs/ledger-2.log"))?;
    ensure!(
        log.contains("leading"),
        "the second ledger never led:\n{log}"
    );
    Ok(())
}

fn small_payments(test: &TestBank) -> Vec<Value> {
    (0..PAYMENTS)
        .map(|_| payment(test.adas, test.graces, "1.00"))
        .collect()
}

/// Publishes them as the shop, each until it is acked: that is what a producer does when an ack does not come.
async fn submit(test: &TestBank, payments: &[Value]) -> Result<()> {
    let client = test.producer().await?;
    let publish_one = async |payment: &Value| loop {
        if test
            .publish(&client, test.headers(payment), payment.to_string())
            .await
            .is_ok()
        {
            break;
        }
    };
    let all = futures::future::join_all(payments.iter().map(publish_one));
    tokio::time::timeout(PATIENCE, all)
        .await
        .context("the broker takes nothing")?;
    Ok(())
}

/// Everything is answered, each payment settled once, and the replay agrees.
async fn all_settled(test: &TestBank) -> Result<()> {
    let summary = test.check_invariants().await?;
    // Two deposits opened the accounts' balances.
    ensure!(
        summary.settled == u64::try_from(PAYMENTS)? + 2,
        "{} settled",
        summary.settled
    );
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
