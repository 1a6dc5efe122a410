//! What services log: one place for all, with the ids of a payment, without secrets, and never in anybody's way.

use std::fs;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use async_nats::jetstream;
use common::broker::{self, Logs};
use common::wire::{LOGS, REQUESTS};
use futures::{StreamExt as _, TryStreamExt as _};
use local::{Part, Service};
use serde_json::{Value, json};

use crate::bank::{CLIENT_SECRET, PATIENCE, SHOP, TestBank, payment};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// The lines that auth finds, once there are as many as this.
async fn found(test: &TestBank, query: &str, count: usize) -> Result<Vec<Value>> {
    let began = Instant::now();
    loop {
        let path = format!("/api/logs?{query}");
        let (status, page) = test.get(Service::Auth, &path, &test.staff).await?;
        ensure!(status == 200, "{status} {page}");
        let lines = page["lines"].as_array().context("lines")?;
        if lines.len() >= count {
            return Ok(lines.clone());
        }
        ensure!(began.elapsed() < PATIENCE, "{query}: {page:#}");
    }
}

/// Starts a service again with this filter of its lines.
async fn log_of(test: &mut TestBank, service: Service, part: Part, filter: &str) -> Result<()> {
    test.bank.set_env(service, "QUITTANCE_LOG", Some(filter));
    test.bank.stop_part(part);
    test.bank.start_part(part).await
}

/// A line of a file of this part that is JSON.
fn lines_of(test: &TestBank, part: Part) -> Result<Vec<Value>> {
    let text = fs::read_to_string(test.bank.home().log(part))?;
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    Ok(lines.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_leads_from_the_gateway_to_the_subscriber() -> Result<()> {
    let mut test = TestBank::start_behind_gateway(local::Tls::Off).await?;
    // At the default level a payment that is well writes nothing.
    let quiet = payment(test.adas, test.graces, "1.00");
    let (status, body) = test.pay(&test.ada, quiet.clone(), Some(20)).await?;
    ensure!(
        status == 202 && body["status"] == "settled",
        "{status} {body}"
    );
    for (service, part) in [
        (Service::Payments, Part::Payments),
        (Service::Ledger, Part::Ledger),
    ] {
        log_of(&mut test, service, part, "info,payment=debug").await?;
    }
    for part in [Part::Payments, Part::Ledger] {
        let text = fs::read_to_string(test.bank.home().log(part))?;
        let id = quiet["payment_id"].as_str().context("an id")?;
        ensure!(!text.contains(id), "{part} logs each payment");
    }

    let shop = test.client_token(SHOP, "quittance").await?;
    let subscriber = test.producer().await?;
    let subject = format!("settlement.payment.v1.{SHOP}");
    let mut settlements = subscriber.subscribe(subject).await?;
    subscriber.flush().await?;
    let traceparent = format!("00-{TRACE}-b7ad6b7169203331-01");
    let asked = payment(test.adas, test.graces, "30.00");
    let gateway = test.bank.gateway_url().context("it has one")?;
    let request = test.http.post(format!("{gateway}/payment/payments"));
    let request = request.bearer_auth(&shop).header("Prefer", "wait=20");
    let request = request.header("traceparent", &traceparent).json(&asked);
    let answer: Value = request.send().await?.json().await?;
    ensure!(answer["status"] == "settled", "{answer}");
    let seq = answer["request_seq"].as_u64().context("a sequence")?;

    // The broker and the subscriber.
    let request = broker::get(&test.audit().await?, REQUESTS, seq).await?;
    let request = request.context("message N")?;
    ensure!(request.header("traceparent") == Some(&*traceparent));
    let heard = tokio::time::timeout(PATIENCE, settlements.next()).await?;
    let heard = heard.context("a settlement")?.headers.context("headers")?;
    let heard = heard.get("traceparent").context("a trace")?;
    ensure!(heard.as_str() == traceparent, "{heard:?}");
    // payments and the ledger, in one place.
    let lines = found(&test, &format!("trace={TRACE}"), 2).await?;
    let said = |service: &str| lines.iter().find(|line| line["service"] == service);
    for (service, message) in [("payments", "stored"), ("ledger", "answered")] {
        let line = said(service).with_context(|| format!("{service}: {lines:?}"))?;
        ensure!(
            line["message"] == message && line["request_seq"] == seq,
            "{line}"
        );
        ensure!(line["payment_id"] == asked["payment_id"], "{line}");
    }
    ensure!(lines.len() == 2, "{lines:?}");
    let id = asked["payment_id"].as_str().context("an id")?;
    ensure!(found(&test, &format!("payment={id}"), 2).await?.len() == 2);
    ensure!(
        found(&test, &format!("payment={id}&service=ledger"), 1)
            .await?
            .len()
            == 1
    );
    // The gateway's own log: nginx writes it when the request is over.
    let began = Instant::now();
    while !lines_of(&test, Part::Gateway)?.iter().any(|line| {
        line["trace_id"] == TRACE && line["path"] == "/payment/payments" && line["status"] == 202
    }) {
        ensure!(began.elapsed() < PATIENCE, "the gateway has not noted it");
    }
    // Pages fit together, and new lines come behind the last.
    let (_, first) = test
        .get(Service::Auth, "/api/logs?limit=2", &test.staff)
        .await?;
    let next = first["next"].as_str().context("it goes on")?;
    let (_, second) = test.get(Service::Auth, next, &test.staff).await?;
    ensure!(
        second["lines"][0]["place"].as_u64() < first["lines"][1]["place"].as_u64(),
        "{first} {second}"
    );
    let after = format!("/api/logs?after={}&limit=1", second["lines"][0]["place"]);
    let (_, behind) = test.get(Service::Auth, &after, &test.staff).await?;
    ensure!(
        behind["lines"][0]["place"] == first["lines"][1]["place"],
        "{behind}"
    );
    for beyond in [u64::MAX, u64::MAX - 1] {
        let path = format!("/api/logs?after={beyond}");
        let (status, none) = test.get(Service::Auth, &path, &test.staff).await?;
        ensure!(
            status == 200 && none["lines"] == serde_json::json!([]),
            "{status} {none}"
        );
    }
    // Customers read none of it.
    let (status, _) = test.get(Service::Auth, "/api/logs", &test.ada).await?;
    ensure!(status == 403, "{status}");
    test.check_invariants().await.map(drop)
}

/// How many lines of the ledger LOGS holds.
async fn stored(test: &TestBank) -> Result<usize> {
    let client = broker::connect(&test.config("auth").logs()).await?;
    let stream = jetstream::new(client).get_stream(LOGS).await?;
    let info: Vec<_> = stream
        .info_with_subjects("log.ledger")
        .await?
        .try_collect()
        .await?;
    Ok(info.into_iter().map(|(_, count)| count).sum())
}

/// Waits until every line of the ledger's file is in LOGS.
async fn until_all_is_stored(test: &TestBank) -> Result<()> {
    let logs = Logs::new(broker::connect(&test.config("auth").logs()).await?);
    let began = Instant::now();
    loop {
        let (first, last) = logs.bounds().await?;
        let lines = logs.between(first, last).await?;
        let stored: Vec<Value> = lines
            .iter()
            .filter(|line| line.service == "ledger")
            .map(|line| serde_json::from_slice(&line.line))
            .collect::<Result<_, _>>()?;
        let mut written = lines_of(test, Part::Ledger)?;
        written.retain(|line| !stored.contains(line));
        if written.is_empty() {
            return Ok(());
        }
        ensure!(began.elapsed() < PATIENCE / 4, "not in LOGS: {written:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_stands_still_delays_no_service_and_each_lost_line_is_counted() -> Result<()>
{
    // Two lines for each request over HTTP. What the client library says of the connection that lines go over stays here.
    let mut test =
        TestBank::start_with(&[("QUITTANCE_LOG", "info,tower_http=debug,async_nats=off")]).await?;
    until_all_is_stored(&test).await?;
    test.bank.freeze(Part::Nats);
    let began = Instant::now();
    let path = format!("/accounts/{}", test.adas);
    let url = format!("{}{path}", test.bank.url(Service::Ledger));
    for _ in 0..2_000 {
        let answer = test.http.get(&url).bearer_auth(&test.staff).send().await?;
        ensure!(answer.status() == 200, "{}", answer.status());
    }
    let took = began.elapsed();
    test.bank.thaw(Part::Nats);
    ensure!(took < PATIENCE, "2 000 requests took {took:?}");
    // Every line that the ledger wrote is in LOGS, or counted as lost.
    let waiting = Instant::now();
    loop {
        let written = lines_of(&test, Part::Ledger)?;
        let lost: u64 = written
            .iter()
            .filter_map(|line| line["fields"]["lost"].as_u64())
            .sum();
        let lost = usize::try_from(lost)?;
        let stored = stored(&test).await?;
        if lost > 0 && stored + lost == written.len() {
            ensure!(written.len() > 4_000, "{} lines", written.len());
            break;
        }
        ensure!(
            waiting.elapsed() < PATIENCE,
            "{} written, {stored} stored, {lost} lost",
            written.len()
        );
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let said = found(&test, "service=ledger&level=warn", 1).await?;
    ensure!(
        said.iter()
            .any(|line| line["fields"]["lost"].as_u64() > Some(0)),
        "{said:?}"
    );
    test.check_invariants().await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_line_holds_a_token_or_a_secret_at_any_level() -> Result<()> {
    let mut test = TestBank::start().await?;
    for (service, part) in [
        (Service::Auth, Part::Auth),
        (Service::Payments, Part::Payments),
        (Service::Ledger, Part::Ledger),
    ] {
        log_of(&mut test, service, part, "trace").await?;
    }
    let began = Instant::now();
    let token = test.login("ada@bank.test", "ada-password").await?;
    let shop = test.client_token(SHOP, "quittance-log").await?;
    let (status, body) = test
        .pay(&token, payment(test.adas, test.graces, "1.00"), Some(20))
        .await?;
    ensure!(status == 202, "{status} {body}");
    // Wrong ones are secrets too.
    let (status, _) = test
        .get(Service::Auth, "/api/users/me/", &format!("{token}x"))
        .await?;
    ensure!(status == 401, "{status}");
    let wrong = json!({"email": "ada@bank.test", "password": "a-wrong-password"});
    let url = format!("{}/api/token/", test.bank.url(Service::Auth));
    ensure!(test.http.post(url).json(&wrong).send().await?.status() == 401);
    let kiosk = test.kiosk().await?;
    let asked = payment(test.adas, test.graces, "1.00");
    let mut headers = test.kiosk_headers(&asked);
    headers.insert("Authorization", format!("Bearer {shop}"));
    let subject = "request.payment.v1.kiosk";
    let refused = kiosk
        .request_with_headers(subject, headers, asked.to_string().into())
        .await?;
    ensure!(
        refused.payload.starts_with(b"{\"error\""),
        "{:?}",
        refused.payload
    );

    found(&test, "service=payments&level=debug", 10).await?;
    let logs = Logs::new(broker::connect(&test.config("auth").logs()).await?);
    let (first, last) = logs.bounds().await?;
    let lines = logs.between(first, last).await?;
    ensure!(
        lines.len() > 100,
        "{} lines in {:?}",
        lines.len(),
        began.elapsed()
    );
    for line in lines {
        let text = String::from_utf8_lossy(&line.line);
        for secret in [
            "eyJhbGciOi",
            "ada-password",
            "a-wrong-password",
            CLIENT_SECRET,
            test.bank.servers().nats_password("ledger"),
        ] {
            ensure!(!text.contains(secret), "{secret} in {text}");
        }
    }
    Ok(())
}
