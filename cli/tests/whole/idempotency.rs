//! `Idempotency-Key`: the same key is the same payment for ever, and another body under it is refused.

use anyhow::{Context as _, Result, ensure};
use common::broker;
use common::wire::REQUESTS;
use local::{Part, Service};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::bank::{TestBank, payment};

/// A payment without an id of its own.
fn body(test: &TestBank, amount: &str) -> Value {
    let mut body = payment(test.adas, test.graces, amount);
    body.as_object_mut()
        .map(|fields| fields.remove("payment_id"));
    body
}

struct Sent {
    status: u16,
    is_repeated: bool,
    body: Value,
}

async fn send(test: &TestBank, token: &str, key: &str, body: &Value, wait: bool) -> Result<Sent> {
    let url = format!("{}/payments", test.bank.url(Service::Payments));
    let mut request = test.http.post(url).bearer_auth(token).json(body);
    if !key.is_empty() {
        request = request.header("idempotency-key", key);
    }
    if wait {
        request = request.header("prefer", "wait=20");
    }
    let answer = request.send().await?;
    Ok(Sent {
        status: answer.status().as_u16(),
        is_repeated: answer.headers().contains_key("idempotency-replayed"),
        body: answer.json().await?,
    })
}

async fn length(test: &TestBank) -> Result<u64> {
    Ok(broker::last_sequence(&test.audit().await?, REQUESTS).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_is_the_same_payment_however_often_and_wherever_it_is_sent() -> Result<()> {
    let mut test = TestBank::start().await?;
    let first = send(&test, &test.ada, "order-1", &body(&test, "10.00"), true).await?;
    ensure!(first.status == 202 && !first.is_repeated, "{}", first.body);
    ensure!(first.body["status"] == "settled", "{}", first.body);
    let poor = send(&test, &test.ada, "order-2", &body(&test, "5000.00"), true).await?;
    ensure!(poor.body["reason"]["code"] == "AM04", "{}", poor.body);
    let end = length(&test).await?;

    for is_restarted in [false, true] {
        if is_restarted {
            // Whatever it remembered is gone, and so is the process.
            test.bank.kill(Part::Payments);
            test.bank.start_part(Part::Payments).await?;
        }
        for (key, wait) in [
            ("order-1", true),
            ("\"order-1\"", false),
            ("order-1", false),
        ] {
            let again = send(&test, &test.ada, key, &body(&test, "10.00"), wait).await?;
            ensure!(again.status == 202 && again.is_repeated, "{}", again.body);
            ensure!(again.body == first.body, "{}\n{}", again.body, first.body);
        }
        let again = send(&test, &test.ada, "order-2", &body(&test, "5000.00"), true).await?;
        ensure!(
            again.status == poor.status && again.is_repeated,
            "{}",
            again.body
        );
        ensure!(again.body == poor.body, "{}\n{}", again.body, poor.body);
        // Something else under the key, waited for or not, of another kind too.
        let mut held = body(&test, "10.00");
        held["capture"] = json!("manual");
        for other in [body(&test, "10.01"), held] {
            for wait in [true, false] {
                let refused = send(&test, &test.ada, "order-1", &other, wait).await?;
                ensure!(refused.status == 422, "{}", refused.body);
                ensure!(
                    refused.body["type"] == "/problems/key-used",
                    "{}",
                    refused.body
                );
                ensure!(refused.body["payment_id"] == first.body["payment_id"]);
            }
        }
    }
    ensure!(length(&test).await? == end, "the log has grown");
    ensure!(test.posted(test.adas).await? == "990.00");

    // A payment of a key is one like any other; and somebody else's key is somebody else's payment.
    let id = first.body["payment_id"].as_str().context("an id")?;
    let shown = format!("/payments/{id}");
    let (_, shown) = test.get(Service::Payments, &shown, &test.ada).await?;
    ensure!(shown["status"] == "settled", "{shown}");
    let theirs = send(&test, &test.staff, "order-1", &body(&test, "1.00"), true).await?;
    ensure!(
        theirs.status == 202 && theirs.body["payment_id"] != id,
        "{}",
        theirs.body
    );
    test.check_invariants().await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_sent_many_times_at_once_is_stored_once_and_bad_ones_are_refused()
-> Result<()> {
    let test = TestBank::start().await?;
    let before = length(&test).await?;
    let same = body(&test, "2.00");
    let sending = (0..20).map(|_| send(&test, &test.ada, "at-once", &same, true));
    for sent in futures::future::join_all(sending).await {
        let sent = sent?;
        ensure!(
            sent.status == 202 && sent.body["status"] == "settled",
            "{}",
            sent.body
        );
    }
    ensure!(length(&test).await? == before + 1);
    ensure!(test.posted(test.adas).await? == "998.00");
    let mut with_id = same.clone();
    with_id["payment_id"] = json!(Uuid::now_v7());
    for (key, body, code) in [
        ("", &same, Some("FF01")),
        ("both", &with_id, Some("FF01")),
        ("two words", &same, None),
        ("\"", &same, None),
        (&"k".repeat(256), &same, None),
    ] {
        let sent = send(&test, &test.ada, key, body, false).await?;
        ensure!(sent.status == 400, "{key}: {}", sent.body);
        ensure!(
            sent.body["reason"]["code"].as_str() == code,
            "{key}: {}",
            sent.body
        );
    }
    ensure!(length(&test).await? == before + 1);
    Ok(())
}
