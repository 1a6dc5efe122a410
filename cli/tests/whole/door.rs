//! Producers at the door: their publishes go through payments into the log, and none of them reaches it otherwise.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use async_nats::{Client, HeaderMap, RequestErrorKind};
use common::broker;
use common::wire::REQUESTS;
use futures::future::join_all;
use local::{Part, Service};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::bank::{KIOSK, PATIENCE, TestBank, payment};

/// What JetStream's acknowledgement says.
pub(crate) async fn publish(
    client: &Client,
    who: &str,
    headers: HeaderMap,
    body: Vec<u8>,
) -> Result<Value> {
    let subject = format!("request.payment.v1.{who}");
    let ack = client
        .request_with_headers(subject, headers, body.into())
        .await?;
    Ok(serde_json::from_slice(&ack.payload)?)
}

#[tokio::test]
async fn a_producer_gets_the_acknowledgement_of_the_stored_message() -> Result<()> {
    let test = TestBank::start().await?;
    let kiosk = test.kiosk().await?;
    let payment = payment(test.adas, test.graces, "1.00");
    let mut headers = test.kiosk_headers(&payment);
    headers.insert("X-Note", "not ours");
    // The bytes of the body stay as they are, blanks included.
    let body = serde_json::to_vec_pretty(&payment)?;
    let ack = publish(&kiosk, KIOSK, headers, body.clone()).await?;
    let seq = ack["seq"].as_u64().context("no sequence")?;
    ensure!(ack == json!({"stream": "REQUESTS", "seq": seq}), "{ack}");

    let stored = broker::get(&test.audit().await?, REQUESTS, seq).await?;
    let stored = stored.context("not stored")?;
    ensure!(stored.subject == format!("request.payment.v1.{KIOSK}"));
    ensure!(stored.payload == body);
    let names: HashSet<&str> = stored.headers.iter().map(|(name, _)| name).collect();
    let ours = [
        "Authorization",
        "ce-specversion",
        "ce-id",
        "ce-type",
        "ce-source",
    ];
    ensure!(
        names
            .iter()
            .all(|name| ours.contains(name) || name.starts_with("Nats-Expected-Stream")),
        "{names:?}"
    );
    let settlement = test.settlement(seq).await?;
    ensure!(settlement.status.as_str() == "settled", "{settlement:?}");
    test.check_invariants().await?;
    Ok(())
}

#[tokio::test]
async fn what_can_be_refused_at_once_is_not_stored() -> Result<()> {
    let test = TestBank::start().await?;
    let kiosk = test.kiosk().await?;
    let streams = test.audit().await?;
    let before = broker::last_sequence(&streams, REQUESTS).await?;
    let payment = payment(test.adas, test.graces, "1.00");
    let good = || {
        (
            test.kiosk_headers(&payment),
            payment.to_string().into_bytes(),
        )
    };
    let with = |name: &str, value: &str| {
        let (mut headers, body) = good();
        headers.insert(name, value);
        (headers, body)
    };
    let with_body = |body: &str| (good().0, body.as_bytes().to_vec());
    let twice = {
        let (mut headers, body) = good();
        headers.append("ce-id", "again");
        (headers, body)
    };
    let other_key = "eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6Im5vYm9keSJ9.e30.AAAA";
    let cases = [
        (
            "nothing at all",
            (HeaderMap::new(), Vec::new()),
            401,
            "token_missing",
        ),
        (
            "no token",
            (HeaderMap::new(), good().1),
            401,
            "token_missing",
        ),
        (
            "no JWT",
            with("Authorization", "Bearer x"),
            401,
            "token_malformed",
        ),
        (
            "a key of nobody",
            with("Authorization", &format!("Bearer {other_key}")),
            401,
            "key_unknown",
        ),
        (
            "another's token",
            with("Authorization", &format!("Bearer {}", test.shop)),
            403,
            "sender_mismatch",
        ),
        ("no body", with_body(""), 400, "FF01: the body"),
        ("no JSON", with_body("{"), 400, "FF01"),
        ("a field too many", with_body("{\"x\":1}"), 400, "schemas/"),
        (
            "too large",
            with_body(&"x".repeat(33 * 1024)),
            413,
            "32768 bytes",
        ),
        ("another id", with("ce-id", "x"), 400, "ce-id"),
        ("another type", with("ce-type", "x"), 400, "ce-type"),
        (
            "another source",
            with("ce-source", "/clients/demo-shop"),
            400,
            "ce-source",
        ),
        ("a header twice", twice, 400, "ce-id appears twice"),
        (
            "part of a batch",
            with("Nats-Batch-Id", "b"),
            400,
            "atomic batches",
        ),
    ];
    for (name, (headers, body), code, sentence) in cases {
        let ack = publish(&kiosk, KIOSK, headers, body).await.context(name)?;
        let error = &ack["error"];
        let description = error["description"].as_str().unwrap_or_default();
        ensure!(
            error["code"] == code
                && description.contains(sentence)
                && error["err_code"] == 20_000 + code,
            "{name}: {ack}"
        );
    }
    ensure!(broker::last_sequence(&streams, REQUESTS).await? == before);
    Ok(())
}

#[tokio::test]
async fn client_libraries_raise_a_refusal_with_its_sentence() -> Result<()> {
    let test = TestBank::start().await?;
    let kiosk = test.kiosk().await?;
    let jetstream = async_nats::jetstream::new(kiosk.clone());
    let refused = jetstream
        .publish(format!("request.payment.v1.{KIOSK}"), "{}".into())
        .await?
        .await
        .err()
        .context("acknowledged")?
        .to_string();
    ensure!(refused.contains("token_missing"), "{refused}");
    Ok(())
}

#[tokio::test]
async fn headers_of_the_broker_have_no_effect_at_the_door() -> Result<()> {
    let test = TestBank::start().await?;
    let kiosk = test.kiosk().await?;
    let mut seqs = Vec::new();
    for (name, value) in [
        ("Nats-Expected-Stream", "SETTLEMENTS"),
        ("Nats-Expected-Last-Sequence", "1"),
        ("Nats-Expected-Last-Subject-Sequence", "0"),
        (
            "Nats-Expected-Last-Subject-Sequence-Subject",
            "request.payment.v1.*",
        ),
        ("Nats-Expected-Last-Msg-Id", "guess"),
        ("Nats-Msg-Id", "the same"),
        ("Nats-Msg-Id", "the same"),
        ("Nats-Rollup", "all"),
        ("Nats-TTL", "1s"),
        ("Nats-Schedule", "@at 2030-01-01T00:00:00Z"),
        ("Nats-Incr", "+1"),
    ] {
        let payment = payment(test.adas, test.graces, "0.01");
        let mut headers = test.kiosk_headers(&payment);
        headers.insert(name, value);
        let ack = publish(&kiosk, KIOSK, headers, payment.to_string().into()).await?;
        let seq = ack["seq"].as_u64().unwrap_or_default();
        ensure!(seq > 0 && ack["error"].is_null(), "{name}: {ack}");
        seqs.push(seq);
    }
    ensure!(seqs.windows(2).all(|pair| pair[0] < pair[1]), "{seqs:?}");
    for seq in seqs {
        ensure!(test.settlement(seq).await?.status.as_str() == "settled");
    }
    Ok(())
}

#[tokio::test]
async fn without_a_payments_service_a_producer_hears_it_at_once_and_a_trusted_one_goes_on()
-> Result<()> {
    let mut test = TestBank::start().await?;
    let (kiosk, shop) = (test.kiosk().await?, test.producer().await?);
    let began = Instant::now();
    test.bank.stop_part(Part::Payments);
    ensure!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
    let due = payment(test.adas, test.graces, "1.00");
    let body = due.to_string();
    let subject = format!("request.payment.v1.{KIOSK}");
    let refused = kiosk
        .request_with_headers(subject, test.kiosk_headers(&due), body.into())
        .await;
    let kind = refused.err().context("acknowledged")?.kind();
    ensure!(kind == RequestErrorKind::NoResponders, "{kind}");

    let trusted = payment(test.adas, test.graces, "2.00");
    let seq = test
        .publish(&shop, test.headers(&trusted), trusted.to_string())
        .await?;
    ensure!(test.settlement(seq).await?.status.as_str() == "settled");

    test.bank.start_part(Part::Payments).await?;
    let ack = publish(
        &kiosk,
        KIOSK,
        test.kiosk_headers(&due),
        due.to_string().into(),
    )
    .await?;
    let seq = ack["seq"].as_u64().context("no sequence")?;
    ensure!(test.settlement(seq).await?.status.as_str() == "settled");
    Ok(())
}

#[tokio::test]
async fn one_of_two_doors_is_killed_under_load_and_nothing_is_lost_or_paid_twice() -> Result<()> {
    const COUNT: usize = 600;
    let test = TestBank::start().await?;
    let mut second = test.bank.spawn_second(Service::Payments, "second", &[])?;
    second.wait_until_ready().await?;
    let kiosk = test.kiosk().await?;
    let before = test.posted(test.graces).await?;
    let payments: Vec<Value> = (0..COUNT)
        .map(|_| payment(test.adas, test.graces, "0.01"))
        .collect();
    let acknowledged = AtomicUsize::new(0);
    let publishing = join_all(payments.iter().map(async |payment| {
        // As a producer does: until it is acknowledged, with the same id.
        loop {
            let headers = test.kiosk_headers(payment);
            let sent = publish(&kiosk, KIOSK, headers, payment.to_string().into());
            let sent = tokio::time::timeout(Duration::from_secs(2), sent).await;
            if let Ok(Ok(ack)) = sent
                && ack["error"].is_null()
            {
                acknowledged.fetch_add(1, Ordering::Relaxed);
                return;
            }
        }
    }));
    let killing = async {
        while acknowledged.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        second.process().kill_hard();
    };
    tokio::time::timeout(PATIENCE, async { tokio::join!(publishing, killing) })
        .await
        .context("not all were acknowledged")?;
    test.check_invariants().await?;
    let (before, after): (Decimal, Decimal) =
        (before.parse()?, test.posted(test.graces).await?.parse()?);
    ensure!(after - before == Decimal::new(600, 2), "{before} {after}");
    Ok(())
}

#[tokio::test]
async fn a_producer_that_is_told_to_slow_down_delays_nobody_else() -> Result<()> {
    let mut test = TestBank::start().await?;
    let rate = ("QUITTANCE_CLIENT_RATE", Some("5"));
    test.bank.set_env(Service::Payments, rate.0, rate.1);
    test.bank.start_part(Part::Payments).await?;
    let kiosk = test.kiosk().await?;
    let acks = join_all((0..20).map(async |_| {
        let payment = payment(test.adas, test.graces, "0.01");
        let headers = test.kiosk_headers(&payment);
        publish(&kiosk, KIOSK, headers, payment.to_string().into()).await
    }))
    .await;
    let acks: Vec<Value> = acks.into_iter().collect::<Result<_>>()?;
    let (stored, refused): (Vec<_>, Vec<_>) = acks.iter().partition(|ack| ack["error"].is_null());
    ensure!(
        (5..20).contains(&stored.len()),
        "{} were stored",
        stored.len()
    );
    for ack in refused {
        let sentence = ack["error"]["description"].as_str().unwrap_or_default();
        ensure!(
            ack["error"]["code"] == 429 && sentence.contains("5 payments per second"),
            "{ack}"
        );
    }
    let (status, body) = test
        .pay(&test.ada, payment(test.adas, test.graces, "1.00"), Some(20))
        .await?;
    ensure!(status == 202, "{body}");

    // What each stores and is refused is counted.
    let url = format!("{}/metrics", test.bank.url(Service::Payments));
    let metrics = test.http.get(url).send().await?.text().await?;
    let counted = |name: &str, client: &str| {
        let name = format!("quittance_door_{name}_total{{client=\"{client}\"}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
        line.and_then(|value| value.parse::<usize>().ok())
    };
    ensure!(
        counted("stored_payments", KIOSK) == Some(stored.len()),
        "{metrics}"
    );
    ensure!(
        counted("refused", KIOSK) == Some(20 - stored.len()),
        "{metrics}"
    );
    ensure!(counted("stored_payments", "people") == Some(1), "{metrics}");
    ensure!(
        counted("stored_bytes", KIOSK) > Some(1000 * stored.len()),
        "{metrics}"
    );
    Ok(())
}
