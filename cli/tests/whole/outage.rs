//! What a caller gets while something is down, so that doing it again does it once.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use async_nats::HeaderMap;
use common::kinds::payment::PaymentStatus;
use local::{Part, Service};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use crate::bank::{PATIENCE, SHOP, TestBank, payment};

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_may_have_been_opened_is_opened_once_when_asked_for_again() -> Result<()> {
    let mut test = TestBank::start().await?;
    let mut account = json!({"owner": SHOP, "currency": "EUR"});
    test.bank.kill(Part::Nats);
    let (status, problem) = open(&test, &account).await?;
    ensure!(status == 503, "{status} {problem}");
    // We chose no id; the ledger did, and names it.
    account["account_id"] = problem["account_id"].clone();
    let id = account["account_id"].as_str();
    let id = id.with_context(|| format!("no id: {problem}"))?;

    test.bank.start_part(Part::Nats).await?;
    // The ledger connects again by itself.
    let again = async {
        loop {
            match open(&test, &account).await? {
                (503, _) => {}
                answered => return anyhow::Ok(answered),
            }
        }
    };
    let (status, opened) = tokio::time::timeout(PATIENCE, again).await??;
    ensure!((200..300).contains(&status), "{status} {opened}");
    ensure!(opened["account_id"] == id, "{opened}");
    let (_, list) = test
        .get(
            Service::Ledger,
            &format!("/accounts?owner={SHOP}"),
            &test.staff,
        )
        .await?;
    let count = list["accounts"].as_array().map(Vec::len);
    ensure!(count == Some(1), "{list}");
    test.check_invariants().await.map(drop)
}

/// Strangers and the ledger stage their batches in the same memory. When it is full, answers must still come.
#[tokio::test(flavor = "multi_thread")]
async fn answers_are_published_while_the_broker_takes_no_batch() -> Result<()> {
    let mut test = TestBank::start().await?;
    test.bank.stop_part(Part::Ledger);
    let producer = test.producer().await?;
    let mut last = 0;
    // Many fsyncs, all under way at a time.
    for _ in 0..200 {
        let payment = payment(test.adas, test.graces, "1.00");
        let headers = test.headers(&payment);
        last = test
            .publish(&producer, headers, payment.to_string())
            .await?;
    }
    let ledger = test.core("ledger").await?;
    let begin = async |number: usize| {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Batch-Id", format!("held-{number}"));
        headers.insert("Nats-Batch-Sequence", "1");
        let begun = ledger.request_with_headers("settlement.x.v1", headers, "{}".into());
        anyhow::Ok(begun.await?.payload)
    };
    let mut places = 0;
    // An empty acknowledgement: the batch has begun, and holds its place for ten seconds.
    while begin(places).await?.is_empty() {
        places += 1;
        ensure!(places < 100, "the broker has no limit");
    }
    test.bank.start_part(Part::Ledger).await?;
    ensure!(test.settlement(last).await?.status == PaymentStatus::Settled);
    let log = std::fs::read_to_string(test.bank.home().log(Part::Ledger))?;
    ensure!(
        log.contains("storing messages one by one"),
        "a batch was taken"
    );
    test.check_invariants().await.map(drop)
}

async fn open(test: &TestBank, account: &Value) -> Result<(u16, Value)> {
    test.post(Service::Ledger, "/accounts", &test.staff, account, None)
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_can_never_write_is_not_ready_and_goes_on_once_it_can() -> Result<()> {
    let test = TestBank::start().await?;
    let producer = test.producer().await?;
    let superuser = test.bank.servers().superuser_database_url(Service::Ledger);
    let mut database = PgConnection::connect(&superuser).await?;
    // It stands where the next answer belongs, so that no write succeeds.
    sqlx::raw_sql(
        "insert into answer select (jsonb_populate_record(answer, jsonb_build_object('request_seq', request_seq + 1, 'payment_id', null, 'content', null))).*
         from answer order by request_seq desc limit 1",
    )
    .execute(&mut database)
    .await?;
    let payment = payment(test.adas, test.graces, "1.00");
    let headers = test.headers(&payment);
    let seq = test
        .publish(&producer, headers, payment.to_string())
        .await?;

    until_ready_is(&test, StatusCode::SERVICE_UNAVAILABLE).await?;
    sqlx::raw_sql(
        "set session_replication_role = replica;
         delete from answer where request_seq = (select max(request_seq) from answer)",
    )
    .execute(&mut database)
    .await?;
    ensure!(test.settlement(seq).await?.status == PaymentStatus::Settled);
    until_ready_is(&test, StatusCode::OK).await?;
    test.check_invariants().await.map(drop)
}

async fn until_ready_is(test: &TestBank, expected: StatusCode) -> Result<()> {
    let url = format!("{}/health/ready", test.bank.url(Service::Ledger));
    let asking = async {
        loop {
            if test.http.get(&url).send().await?.status() == expected {
                return anyhow::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking)
        .await
        .with_context(|| format!("the ledger's readiness never says {expected}"))?
}
