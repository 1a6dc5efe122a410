//! Bad input: a clear error, nothing lost. Over HTTP a problem document with the right status, over NATS a rejected
//! answer with its reason; nothing stops the engine, and every stored message has its answer.

use anyhow::{Context as _, Result, ensure};
use async_nats::{Client, HeaderMap};
use common::broker;
use common::wire::REQUESTS;
use local::Service;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::bank::{SHOP, TestBank, payment};

#[tokio::test(flavor = "multi_thread")]
async fn over_nats_every_stored_message_is_answered_with_its_reason() -> Result<()> {
    let test = TestBank::start().await?;
    let client = test.producer().await?;
    what_the_body_says(&test, &client).await?;
    what_is_no_payment_at_all(&test, &client).await?;
    what_the_headers_say(&test, &client).await?;
    the_same_payment_again(&test, &client).await?;
    what_is_too_large(&test, &client).await?;
    what_no_client_library_would_send(&test, &client).await?;
    let summary = test.check_invariants().await?;
    // Two deposits, the good one of the first table, the first of the pair, and one behind each unreadable message.
    ensure!(
        summary.settled == 4 + u64::try_from(UNREADABLE.len())?,
        "{summary:?}"
    );
    Ok(())
}

fn good(test: &TestBank) -> Value {
    payment(test.adas, test.graces, "1.00")
}

fn with(test: &TestBank, name: &str, value: Value) -> Value {
    let mut payment = good(test);
    payment[name] = value;
    payment
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
        let headers = without(&test.headers(&json!({})), "Nats-Msg-Id");
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
        // Whatever is wrong with the envelope, the answer tells which payment it is about.
        ensure!(
            json!(test.settlement(seq).await?.payment_id) == payment["payment_id"],
            "{what}"
        );
    }
    Ok(())
}

async fn the_same_payment_again(test: &TestBank, client: &Client) -> Result<()> {
    // The broker would drop the second within two minutes, so it goes under no message id.
    let publish = async |payment: &Value| {
        test.publish(
            client,
            without(&test.headers(payment), "Nats-Msg-Id"),
            payment.to_string(),
        )
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
    // The broker refuses it, so it is not stored and needs no answer; from 64 KB on the client does already.
    for (bytes, expected) in [
        (50_000, "message size exceeds maximum allowed"),
        (1_000_000, "max payload"),
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

/// Header blocks that nats-server stores and that our client library can't read: some end its connection, some the client.
const UNREADABLE: [&[u8]; 5] = [
    b"NATS/1.0\r\nX: \xff\xfe\r\n\r\n",
    b"NATS/1.0\r\nfoo\r\n\r\n",
    b"NATS/1.0\r\nX: a\rb\r\n\r\n",
    b"NATS/1.0\r\nbad name: x\r\n\r\n",
    b"NATS/1.0\r\nAuthorization: a\r\nauthorization\xff: b\r\n\r\n",
];

/// A connection on which any bytes can be sent.
async fn socket(test: &TestBank, user: &str, password: &str) -> Result<TcpStream> {
    let address = test.bank.servers().nats_url().replace("nats://", "");
    let mut socket = TcpStream::connect(address).await?;
    let login = json!({
        "user": user, "pass": password, "headers": true, "verbose": false, "pedantic": false,
        "lang": "bytes", "version": "1", "protocol": 1, "no_responders": true,
    });
    let login = format!("CONNECT {login}\r\n");
    socket.write_all(login.as_bytes()).await?;
    Ok(socket)
}

async fn what_no_client_library_would_send(test: &TestBank, client: &Client) -> Result<()> {
    let servers = test.bank.servers();
    // A subject with a blank in it, for all but the server: even a service of ours must not be able to stop the readers.
    let mut payments = socket(test, "payments", servers.nats_password("payments")).await?;
    let odd = broker::last_sequence(&test.audit().await?, REQUESTS).await? + 1;
    let message = b"PUB request.payment.v1.a\x0cb 2\r\n{}\r\n";
    payments.write_all(message).await?;
    ensure!(test.answer(odd).await?.subject == "settlement.unknown.v1");
    let mut socket = socket(test, SHOP, servers.nats_password(SHOP)).await?;
    let streams = test.audit().await?;
    for (index, headers) in UNREADABLE.into_iter().enumerate() {
        let payment = good(test);
        let body = payment.to_string();
        let before = broker::last_sequence(&streams, REQUESTS).await?;
        let lengths = format!("{} {}", headers.len(), headers.len() + body.len());
        socket
            .write_all(format!("HPUB request.payment.v1.{SHOP} {lengths}\r\n").as_bytes())
            .await?;
        socket
            .write_all(&[headers, body.as_bytes(), b"\r\n"].concat())
            .await?;
        let seq = before + 1;
        rejected(test, seq, Some("FF01"), &headers.escape_ascii().to_string()).await?;
        ensure!(
            json!(test.settlement(seq).await?.payment_id) == payment["payment_id"],
            "row {index}"
        );
        // Whoever comes behind it is served as ever, over NATS and over HTTP.
        let behind = test.publish(client, test.headers(&payment), body).await?;
        rejected(test, behind, None, "a good payment").await?;
        let (status, seen) = test
            .get(
                Service::Payments,
                &format!(
                    "/payments/{}",
                    payment["payment_id"].as_str().context("an id")?
                ),
                &test.shop,
            )
            .await?;
        ensure!(
            status == 200 && seen["status"] == "settled",
            "row {index}: {status} {seen}"
        );
    }
    Ok(())
}

fn without(headers: &HeaderMap, name: &str) -> HeaderMap {
    let others = headers.iter().filter(|(key, _)| key.to_string() != name);
    others
        .flat_map(|(key, values)| values.iter().map(move |value| (key.clone(), value.clone())))
        .collect()
}

async fn rejected(test: &TestBank, seq: u64, code: Option<&str>, what: &str) -> Result<()> {
    let answer = test.answer(seq).await?;
    let body: Value = serde_json::from_slice(&answer.payload)?;
    let status = if code.is_some() {
        "rejected"
    } else {
        "settled"
    };
    ensure!(
        body["status"] == status && body["reason"]["code"] == json!(code),
        "{what}\n{body}"
    );
    ensure!(
        body["request_seq"] == seq && body["client_id"] == SHOP,
        "{what}\n{body}"
    );
    ensure!(
        answer.subject == format!("settlement.payment.v1.{SHOP}"),
        "{}",
        answer.subject
    );
    ensure!(
        answer.header("Authorization").is_none(),
        "a token left the ledger"
    );
    ensure!(
        answer.header("ce-type") == Some(&*format!("payment.{status}.v1")),
        "{:?}",
        answer.headers
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one row per mistake")]
async fn over_http_it_is_a_problem_document() -> Result<()> {
    let test = TestBank::start().await?;
    let url = format!("{}/payments", test.bank.url(Service::Payments));
    let good = || good(&test);
    let with = |name: &str, value: Value| with(&test, name, value);
    let json_post = || {
        test.http
            .post(&url)
            .header("Content-Type", "application/json")
    };
    let as_ada = || json_post().bearer_auth(&test.ada);
    let tampered = format!("{}x", test.ada);
    let waited = |payment: Value| {
        as_ada()
            .header("Prefer", "wait=20")
            .body(payment.to_string())
    };
    let amount = |text: &str| as_ada().body(with("amount", json!(text)).to_string());
    let used = good();
    ensure!(as_ada().body(used.to_string()).send().await?.status() == 202);
    let mut reused = used.clone();
    reused["amount"] = json!("2.00");
    let accounts = format!("{}/accounts", test.bank.url(Service::Ledger));
    for (what, request, status, code) in [
        ("no token", json_post().body(good().to_string()), 401, None),
        (
            "damaged token",
            json_post().bearer_auth(&tampered).body(good().to_string()),
            401,
            None,
        ),
        (
            "two tokens",
            as_ada()
                .header("Authorization", "Bearer x")
                .body(good().to_string()),
            400,
            None,
        ),
        ("garbage", as_ada().body("garbage"), 400, Some("FF01")),
        (
            "unknown field",
            as_ada().body(with("x", json!(1)).to_string()),
            400,
            Some("FF01"),
        ),
        (
            "no JSON",
            test.http.post(&url).bearer_auth(&test.ada).body("x"),
            415,
            None,
        ),
        ("1 MB", as_ada().body("x".repeat(1_000_000)), 413, None),
        ("too many decimals", amount("1.001"), 422, Some("AM12")),
        ("zero", amount("0"), 422, Some("AM12")),
        ("negative", amount("-1"), 422, Some("AM12")),
        (
            "unknown currency",
            as_ada().body(with("currency", json!("XXZ")).to_string()),
            422,
            Some("AM03"),
        ),
        (
            "one account",
            as_ada().body(with("creditor_account", json!(test.adas)).to_string()),
            422,
            Some("NARR"),
        ),
        (
            "another currency",
            waited(with("currency", json!("USD"))),
            422,
            Some("AM03"),
        ),
        (
            "insufficient funds",
            waited(with("amount", json!("1000000"))),
            422,
            Some("AM04"),
        ),
        (
            "unknown debtor",
            waited(with("debtor_account", json!(Uuid::now_v7()))),
            422,
            Some("AC02"),
        ),
        (
            "unknown creditor",
            waited(with("creditor_account", json!(Uuid::now_v7()))),
            422,
            Some("AC03"),
        ),
        (
            "not one's own",
            waited(payment(test.graces, test.adas, "1.00")),
            403,
            Some("AG01"),
        ),
        (
            "the id of another payment",
            as_ada().body(reused.to_string()),
            409,
            Some("AM05"),
        ),
        (
            "unknown payment",
            test.http
                .get(format!("{url}/{}", Uuid::now_v7()))
                .bearer_auth(&test.ada),
            404,
            None,
        ),
        (
            "no payment id",
            test.http.get(format!("{url}/x")).bearer_auth(&test.ada),
            400,
            None,
        ),
        (
            "unknown path",
            test.http.get(format!("{url}/x/y")).bearer_auth(&test.ada),
            404,
            None,
        ),
        (
            "other method",
            test.http.delete(&url).bearer_auth(&test.ada),
            405,
            None,
        ),
        (
            "accounts without a token",
            test.http.get(&accounts),
            401,
            None,
        ),
        (
            "somebody's account",
            test.http
                .get(format!("{accounts}/{}", test.graces))
                .bearer_auth(&test.ada),
            404,
            None,
        ),
        (
            "opening without the scope",
            test.http
                .post(&accounts)
                .bearer_auth(&test.ada)
                .json(&json!({"currency": "EUR"})),
            403,
            None,
        ),
        (
            "account in no currency",
            test.http
                .post(&accounts)
                .bearer_auth(&test.staff)
                .json(&json!({"currency": "XXZ"})),
            422,
            Some("AM03"),
        ),
        (
            "account of no shape",
            test.http
                .post(&accounts)
                .bearer_auth(&test.staff)
                .json(&json!({"curency": "EUR"})),
            400,
            None,
        ),
    ] {
        let answer = request.send().await?;
        let got = answer.status().as_u16();
        let kind = answer
            .headers()
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let body: Value = answer
            .json()
            .await
            .with_context(|| format!("{what}: no JSON"))?;
        ensure!(
            got == status && kind == "application/problem+json",
            "{what}: {got} {kind} {body}"
        );
        ensure!(
            body["status"] == status && body["reason"]["code"] == json!(code),
            "{what}: {body}"
        );
        ensure!(
            body["detail"]
                .as_str()
                .is_some_and(|detail| !detail.is_empty()),
            "{what}: {body}"
        );
    }
    // The same again is no error: the first outcome is repeated.
    let (status, body) = test.pay(&test.ada, used, Some(20)).await?;
    ensure!(
        status == 202 && body["status"] == "settled",
        "{status} {body}"
    );
    test.check_invariants().await?;
    Ok(())
}
