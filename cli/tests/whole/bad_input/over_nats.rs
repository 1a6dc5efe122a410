//! Over NATS: every message that the broker stores is answered, and a rejection names its reason.

use anyhow::{Context as _, Result, ensure};
use async_nats::{Client, HeaderMap};
use serde_json::{Value, json};
use uuid::Uuid;

use super::payments::{good, with};
use super::rejected::rejected;
use super::unreadable::{UNREADABLE, empty_messages, what_no_client_library_would_send};
use crate::bank::TestBank;

#[tokio::test(flavor = "multi_thread")]
async fn over_nats_every_stored_message_is_answered_with_its_reason() -> Result<()> {
    let test = TestBank::start().await?;
    let client = test.producer().await?;
    what_the_body_says(&test, &client).await?;
    what_is_no_payment_at_all(&test, &client).await?;
    what_the_headers_say(&test, &client).await?;
    an_id_without_hyphens(&test, &client).await?;
    a_key_twice_in_the_metadata(&test, &client).await?;
    the_same_payment_again(&test, &client).await?;
    what_is_too_large(&test, &client).await?;
    what_no_client_library_would_send(&test, &client).await?;
    empty_messages(&test, &client).await?;
    let summary = test.check_invariants().await?;
    // Two deposits, the good one of the first table, the one without hyphens, the first of the pair, one behind each
    // unreadable message, and one behind the empty ones.
    ensure!(
        summary.settled == 6 + u64::try_from(UNREADABLE.len())?,
        "{summary:?}"
    );
    Ok(())
}

async fn what_the_body_says(test: &TestBank, client: &Client) -> Result<()> {
    let with = |name: &str, value: Value| with(test, name, value);
    let nobody = json!(Uuid::now_v7());
    for (body, expected) in [
        (good(test), None),
        (with("debtor_account", nobody.clone()), Some("AC02")),
        (with("creditor_account", nobody), Some("AC03")),
        (with("creditor_account", json!(test.adas)), Some("NARR")),
        (with("debtor_account", json!(test.cash)), Some("AG01")),
        (with("currency", json!("USD")), Some("AM03")),
        (with("currency", json!("XXZ")), Some("AM03")),
        (with("amount", json!("1.001")), Some("AM12")),
        (with("amount", json!("0")), Some("AM12")),
        (with("amount", json!("-1.00")), Some("AM12")),
        (with("amount", json!("1000000.00")), Some("AM04")),
        (with("amount", json!(1.0)), Some("FF01")),
        (with("effective_date", json!("2999-01-01")), Some("DT01")),
        (with("unheard_of", json!(true)), Some("FF01")),
        (with("payment_id", json!("no uuid")), Some("FF01")),
        (with("reference", json!("x".repeat(141))), Some("FF01")),
    ] {
        let seq = test
            .publish(client, test.headers(&body), body.to_string())
            .await?;
        rejected(test, seq, expected, &body.to_string()).await?;
    }
    Ok(())
}

async fn what_is_no_payment_at_all(test: &TestBank, client: &Client) -> Result<()> {
    for garbage in [
        "",
        "garbage",
        "[]",
        "null",
        "{\"payment_id\":",
        "\u{0}",
        "{\"amount\":{\"$gt\":\"\"}}",
    ] {
        let headers = test.headers(&json!({}));
        let seq = test.publish(client, headers, garbage).await?;
        rejected(test, seq, Some("FF01"), garbage).await?;
    }
    Ok(())
}

async fn what_the_headers_say(test: &TestBank, client: &Client) -> Result<()> {
    let changed = |name: &str, value: Option<&str>| {
        let payment = good(test);
        let mut headers = without(&test.headers(&payment), name);
        if let Some(value) = value {
            headers.insert(name, value);
        }
        (headers, payment)
    };
    let twice = |name: &str| {
        let payment = good(test);
        let mut headers = test.headers(&payment);
        let value = headers.get(name).cloned().expect("one of the headers");
        headers.append(name, value);
        (headers, payment)
    };
    let damaged = format!("Bearer {}x", test.shop);
    let adas = format!("Bearer {}", test.ada);
    for ((headers, payment), expected) in [
        (changed("Authorization", None), "AG01"),
        (changed("Authorization", Some("Bearer")), "AG01"),
        (changed("Authorization", Some("Bearer x.y.z")), "AG01"),
        (changed("Authorization", Some(&damaged)), "AG01"),
        (changed("Authorization", Some(&adas)), "AG01"),
        (changed("ce-id", Some("another")), "FF01"),
        (changed("ce-type", Some("payment.hold.v1")), "FF01"),
        (twice("Authorization"), "FF01"),
        (twice("ce-id"), "FF01"),
    ] {
        let what = format!("{headers:?}");
        let seq = test.publish(client, headers, payment.to_string()).await?;
        rejected(test, seq, Some(expected), &what).await?;
        // Whatever is wrong with the envelope, the answer names the payment.
        ensure!(
            json!(test.settlement(seq).await?.payment_id) == payment["payment_id"],
            "{what}"
        );
    }
    Ok(())
}

async fn an_id_without_hyphens(test: &TestBank, client: &Client) -> Result<()> {
    let id = Uuid::now_v7().simple().to_string();
    let payment = with(test, "payment_id", json!(id));
    // Equal in header and body, and in neither as the answer spells it.
    let seq = test
        .publish(client, test.headers(&payment), payment.to_string())
        .await?;
    rejected(test, seq, None, &id).await
}

async fn a_key_twice_in_the_metadata(test: &TestBank, client: &Client) -> Result<()> {
    let payment = with(test, "metadata", json!({"order": "1"}));
    let twice = payment
        .to_string()
        .replace(r#""order":"1""#, r#""order":"1","order":"2""#);
    let seq = test
        .publish(client, test.headers(&payment), twice.clone())
        .await?;
    rejected(test, seq, Some("FF01"), &twice).await
}

async fn the_same_payment_again(test: &TestBank, client: &Client) -> Result<()> {
    let publish = async |payment: &Value| {
        test.publish(client, test.headers(payment), payment.to_string())
            .await
    };
    let mut payment = good(test);
    let (first, second) = (publish(&payment).await?, publish(&payment).await?);
    let duplicate = serde_json::to_value(test.settlement(second).await?)?;
    ensure!(duplicate["status"] == "duplicate", "{duplicate}");
    let original = json!({"request_seq": first, "status": "settled", "reason": null});
    ensure!(duplicate["original"] == original, "{duplicate}");
    payment["amount"] = json!("2.00");
    rejected(
        test,
        publish(&payment).await?,
        Some("AM05"),
        "the same id with another amount",
    )
    .await
}

async fn what_is_too_large(test: &TestBank, client: &Client) -> Result<()> {
    // A batch may be so large, a payment not.
    let seq = test
        .publish(client, test.headers(&good(test)), "x".repeat(50_000))
        .await?;
    rejected(test, seq, Some("FF01"), "a body of 50 000 bytes").await?;
    // The broker refuses it, so it is not stored and needs no answer. From 1 MB on the client refuses it already.
    for (bytes, expected) in [
        (600_000, "message size exceeds maximum allowed"),
        (1_100_000, "max payload"),
    ] {
        let refused = test
            .publish(client, test.headers(&good(test)), "x".repeat(bytes))
            .await;
        let refused = refused
            .err()
            .with_context(|| format!("{bytes} bytes were stored"))?;
        ensure!(format!("{refused:#}").contains(expected), "{refused:#}");
    }
    Ok(())
}

fn without(headers: &HeaderMap, name: &str) -> HeaderMap {
    let others = headers.iter().filter(|(key, _)| key.to_string() != name);
    others
        .flat_map(|(key, values)| values.iter().map(move |value| (key.clone(), value.clone())))
        .collect()
}
