//! Traces: one leads from the gateway to the subscriber, none holds a secret, and no collector is in anybody's way.

mod collector;

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use async_nats::Client;
use common::broker;
use common::wire::{REQUESTS, trace_id};
use futures::StreamExt as _;
use local::{Part, Service};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::Value;
use uuid::Uuid;

use crate::bank::{CLIENT_SECRET, KIOSK, PATIENCE, SHOP, TestBank, payment};
use collector::{Collector, Mood, text};

const PARTS: [(Service, Part); 2] = [
    (Service::Payments, Part::Payments),
    (Service::Ledger, Part::Ledger),
];
/// A span of the caller.
const CALLER: &str = "b7ad6b7169203331";

/// The whole way of a payment, and who is under whom.
const WAY: [(&str, &str, SpanKind, &str); 6] = [
    ("POST /payments", "payments", SpanKind::Server, CALLER),
    (
        "publish REQUESTS",
        "payments",
        SpanKind::Producer,
        "POST /payments",
    ),
    (
        "process REQUESTS",
        "ledger",
        SpanKind::Consumer,
        "publish REQUESTS",
    ),
    ("book", "ledger", SpanKind::Internal, "process REQUESTS"),
    (
        "publish SETTLEMENTS",
        "ledger",
        SpanKind::Producer,
        "process REQUESTS",
    ),
    (
        "process SETTLEMENTS",
        "payments",
        SpanKind::Consumer,
        "publish SETTLEMENTS",
    ),
];

/// A trace that nothing else has.
fn new_trace() -> String {
    Uuid::new_v4().simple().to_string()
}

/// Starts payments and the ledger again, with these variables.
async fn trace(test: &mut TestBank, variables: &[(&str, &str)]) -> Result<()> {
    for (service, part) in PARTS {
        for (name, value) in variables {
            test.bank.set_env(service, name, Some(value));
        }
        test.bank.stop_part(part);
        test.bank.start_part(part).await?;
    }
    Ok(())
}

/// Pays over HTTP with this `traceparent` and waits for the answer: the request's sequence.
async fn pay(test: &TestBank, url: &str, token: &str, traceparent: Option<&str>) -> Result<u64> {
    let due = payment(test.adas, test.graces, "1.00");
    let mut request = test.http.post(url).bearer_auth(token).json(&due);
    request = request.header("Prefer", "wait=20");
    if let Some(traceparent) = traceparent {
        request = request.header("traceparent", traceparent);
    }
    let answer: Value = request.send().await?.json().await?;
    ensure!(answer["status"] == "settled", "{answer}");
    answer["request_seq"].as_u64().context("a sequence")
}

/// The `traceparent` of a request in the log, which is that of its answer.
async fn stored(test: &TestBank, seq: u64) -> Result<String> {
    let request = broker::get(&test.audit().await?, REQUESTS, seq).await?;
    let request = request.context("message N")?;
    let traceparent = request.header("traceparent").context("a traceparent")?;
    let answer = test.answer(seq).await?;
    ensure!(answer.header("traceparent") == Some(traceparent));
    Ok(traceparent.to_owned())
}

/// Over NATS alone: through payments, and by the direct way.
async fn over_nats(test: &TestBank, collector: &Collector, shop: &Client) -> Result<()> {
    let through_payments = new_trace();
    let due = payment(test.adas, test.graces, "1.00");
    let mut headers = test.kiosk_headers(&due);
    headers.insert("traceparent", format!("00-{through_payments}-{CALLER}-01"));
    let kiosk = test.kiosk().await?;
    let subject = format!("request.payment.v1.{KIOSK}");
    kiosk
        .request_with_headers(subject, headers, due.to_string().into())
        .await?;
    let published = collector
        .span(&through_payments, "publish REQUESTS")
        .await?;
    ensure!(published.parent() == CALLER, "{published:?}");
    let processed = collector
        .span(&through_payments, "process REQUESTS")
        .await?;
    ensure!(processed.parent() == published.id(), "{processed:?}");
    let direct = new_trace();
    let due = payment(test.adas, test.graces, "1.00");
    let mut headers = test.headers(&due);
    headers.insert("traceparent", format!("00-{direct}-{CALLER}-01"));
    test.publish(shop, headers, due.to_string()).await?;
    let processed = collector.span(&direct, "process REQUESTS").await?;
    ensure!(processed.parent() == CALLER, "{processed:?}");
    collector
        .span(&direct, "process SETTLEMENTS")
        .await
        .map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_spans_http_broker_ledger_settlement_and_subscriber() -> Result<()> {
    let collector = Collector::start(Mood::Takes).await?;
    let mut test = TestBank::start_behind_gateway(local::Tls::Off).await?;
    let fast = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.url),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "deployment.environment.name=test",
        ),
    ];
    trace(&mut test, &fast).await?;
    let shop = test.client_token(SHOP, "quittance").await?;
    let subscriber = test.producer().await?;
    let subject = format!("settlement.payment.v1.{SHOP}");
    let mut settlements = subscriber.subscribe(subject).await?;
    subscriber.flush().await?;
    let gateway = test.bank.gateway_url().context("it has one")?;
    let url = format!("{gateway}/payment/payments");
    let ours = new_trace();
    let seq = pay(&test, &url, &shop, Some(&format!("00-{ours}-{CALLER}-01"))).await?;

    let mut ids = vec![(CALLER, CALLER.to_owned())];
    for (name, service, kind, parent) in WAY {
        let seen = collector.span(&ours, name).await?;
        ensure!(seen.service() == format!("quittance-{service}"), "{seen:?}");
        ensure!(seen.span.kind == i32::from(kind), "{name}: {seen:?}");
        let expected = ids.iter().find(|(known, _)| *known == parent);
        let (_, expected) = expected.context("it came before")?;
        ensure!(seen.parent() == *expected, "{name}: {seen:?}");
        let number = seen.attribute("quittance.request_seq");
        ensure!(number.is_none_or(|number| number == seq.to_string()));
        let (began, ended) = (seen.span.start_time_unix_nano, seen.span.end_time_unix_nano);
        ensure!(0 < began && began <= ended, "{name}: {seen:?}");
        for (key, value) in [
            ("service.version", env!("CARGO_PKG_VERSION")),
            ("deployment.environment.name", "test"),
        ] {
            ensure!(text(&seen.resource, key).as_deref() == Some(value), "{key}");
        }
        ensure!(text(&seen.resource, "service.instance.id").is_some());
        ids.push((name, seen.id()));
    }
    let all = collector.of(&ours);
    ensure!(all.len() == WAY.len(), "{all:#?}");

    // The log, the answer and the subscriber know the trace, and the span that published the request.
    let published = collector.span(&ours, "publish REQUESTS").await?.id();
    let carried = stored(&test, seq).await?;
    ensure!(carried == format!("00-{ours}-{published}-01"), "{carried}");
    let heard = tokio::time::timeout(PATIENCE, settlements.next()).await?;
    let heard = heard.context("a settlement")?.headers.context("headers")?;
    let heard = heard.get("traceparent").context("a trace")?;
    ensure!(heard.as_str() == carried, "{heard:?}");

    // Without a trace of the caller one begins; a trace that the caller does not record is not recorded.
    let seq = pay(&test, &url, &shop, None).await?;
    let begun = stored(&test, seq).await?;
    let begun = trace_id(&begun);
    let first = collector.span(begun, "POST /payments").await?;
    ensure!(first.parent().is_empty(), "{first:?}");
    let quiet = new_trace();
    let seq = pay(&test, &url, &shop, Some(&format!("00-{quiet}-{CALLER}-00"))).await?;
    let carried = stored(&test, seq).await?;
    ensure!(
        trace_id(&carried) == quiet && carried.ends_with("-00"),
        "{carried}"
    );

    over_nats(&test, &collector, &subscriber).await?;
    ensure!(collector.of(&quiet).is_empty());

    for body in collector.bodies() {
        let body = String::from_utf8_lossy(&body);
        for secret in ["eyJ", "Bearer", CLIENT_SECRET] {
            ensure!(!body.contains(secret), "{secret} in {body}");
        }
    }

    // What was not exported when a service is told to stop is exported then.
    trace(&mut test, &[("OTEL_BSP_SCHEDULE_DELAY", "600000")]).await?;
    let last = new_trace();
    pay(&test, &url, &shop, Some(&format!("00-{last}-{CALLER}-01"))).await?;
    for (_, part) in PARTS {
        test.bank.stop_part(part);
    }
    ensure!(
        collector.of(&last).len() == WAY.len(),
        "{:#?}",
        collector.of(&last)
    );
    for (_, part) in PARTS.into_iter().rev() {
        test.bank.start_part(part).await?;
    }
    test.check_invariants().await.map(drop)
}

/// How many spans a service has lost.
async fn lost(test: &TestBank, service: Service) -> Result<f64> {
    let url = format!("{}/metrics", test.bank.url(service));
    let counted = test.http.get(url).send().await?.text().await?;
    let mut lines = counted.lines();
    let value = lines.find_map(|line| line.strip_prefix("quittance_spans_lost_total "));
    Ok(value.context("it is counted")?.parse()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_gone_slow_or_broken_is_in_nobodys_way() -> Result<()> {
    let mut test = TestBank::start().await?;
    let url = format!("{}/payments", test.bank.url(Service::Payments));
    let (refuses, silent) = (
        Collector::start(Mood::Refuses).await?,
        Collector::start(Mood::NeverAnswers).await?,
    );
    // Nobody listens at port 1. The silent one is waited for as long as is usual: longer than a service takes to stop.
    for (collector, at, timeout) in [
        (None, "http://127.0.0.1:1", "300"),
        (Some(&refuses), &*refuses.url, "300"),
        (Some(&silent), &*silent.url, "10000"),
    ] {
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", at),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", timeout),
            ("OTEL_BSP_SCHEDULE_DELAY", "50"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "64"),
        ];
        trace(&mut test, &variables).await?;
        let mut slowest = Duration::ZERO;
        for _ in 0..50 {
            let began = Instant::now();
            pay(&test, &url, &test.ada, None).await?;
            slowest = slowest.max(began.elapsed());
        }
        ensure!(slowest < Duration::from_secs(10), "{at}: {slowest:?}");
        ensure!(collector.is_none_or(|collector| collector.requests() > 0));
        for (service, part) in PARTS {
            let began = Instant::now();
            while lost(&test, service).await? <= 0.0 {
                ensure!(began.elapsed() < PATIENCE, "{service} lost nothing at {at}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let began = Instant::now();
            test.bank.stop_part(part);
            ensure!(began.elapsed() < Duration::from_secs(8), "{at}: {part}");
            test.bank.start_part(part).await?;
        }
    }
    // One line a minute at most, and one at the end of each process.
    for (_, part) in PARTS {
        let lines = fs::read_to_string(test.bank.home().log(part))?;
        let said = lines.matches("spans of traces were lost").count();
        ensure!((1..=14).contains(&said), "{part}: {said} lines");
        ensure!(lines.contains("were lost before the end"), "{part}");
    }
    test.check_invariants().await.map(drop)
}
