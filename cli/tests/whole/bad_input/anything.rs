//! Whatever comes, by whichever entrance: an answer that is no failure of ours, and the bank goes on.
//!
//! `FUZZ_CASES` makes it try more; an hour's worth is some hundred thousand.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use async_nats::HeaderMap;
use chrono::TimeDelta;
use local::Service;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::bank::{KIOSK, TestBank, payment};

const CASES: u32 = 150;

fn cases() -> u32 {
    let asked = std::env::var("FUZZ_CASES").ok();
    asked.and_then(|count| count.parse().ok()).unwrap_or(CASES)
}

/// Texts that have broken parsers before, and any others.
fn nasty() -> impl Strategy<Value = String> {
    let known = [
        "",
        "\0",
        "%00",
        "'",
        "\"",
        "\\",
        "-1",
        "0",
        "9223372036854775807",
        "9223372036854775808",
        "1e308",
        "NaN",
        "null",
        "[]",
        "{}",
        "../..",
        "\u{feff}",
        "\u{202e}",
        "\u{1F980}",
        "0198c0de-0000-7000-8000-000000000001",
        "{0198c0de-0000-7000-8000-000000000001}",
    ];
    prop_oneof![
        prop::sample::select(known.to_vec()).prop_map(str::to_owned),
        any::<String>(),
        "[ -~]{0,40}",
        "\\PC{200,400}",
    ]
}

/// JSON of any shape, often with our fields.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        nasty().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        let ours = prop::sample::select(vec![
            "payment_id",
            "debtor_account",
            "creditor_account",
            "amount",
            "currency",
            "reference",
            "effective_date",
            "metadata",
        ]);
        let name = prop_oneof![ours.prop_map(str::to_owned), nasty()];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Draws values, new ones in each run. A failure names the value.
struct Dice(TestRunner);

impl Dice {
    fn draw<S: Strategy>(&mut self, of: &S) -> Result<S::Value> {
        let tree = of.new_tree(&mut self.0);
        Ok(tree
            .map_err(|reason| anyhow::anyhow!("{reason}"))?
            .current())
    }
}

#[tokio::test]
async fn no_query_path_header_or_body_over_http_looks_like_our_failure() -> Result<()> {
    let test = TestBank::start().await?;
    let mut dice = Dice(TestRunner::default());
    let (nasty, any_json) = (nasty(), any_json());
    let questions = [
        (Service::Ledger, "/accounts", "owner"),
        (Service::Ledger, "/accounts", "after"),
        (Service::Ledger, "/accounts", "limit"),
        (Service::Ledger, "/accounts", "unknown"),
        (Service::Payments, "/payments", "client_id"),
        (Service::Payments, "/payments", "status"),
        (Service::Payments, "/payments", "after"),
        (Service::Payments, "/payments", "limit"),
    ];
    let is_ours = |status: reqwest::StatusCode| status.is_server_error();
    for _ in 0..cases() {
        let text = dice.draw(&nasty)?;
        for (service, path, name) in questions {
            let mut url: reqwest::Url = format!("{}{path}", test.bank.url(service)).parse()?;
            url.query_pairs_mut().append_pair(name, &text);
            let asked = test.http.get(url);
            let status = asked.bearer_auth(&test.staff).send().await?.status();
            ensure!(!is_ours(status), "{path}?{name}={text:?}: {status}");
        }
        for (service, path) in [
            (Service::Ledger, "accounts"),
            (Service::Payments, "payments"),
        ] {
            let mut url: reqwest::Url = test.bank.url(service).parse()?;
            if let Ok(mut segments) = url.path_segments_mut() {
                segments.push(path).push(&text);
            }
            let asked = test.http.get(url.clone()).bearer_auth(&test.staff);
            let status = asked.send().await?.status();
            ensure!(!is_ours(status), "{url}: {status}");
        }
        let body = dice.draw(&any_json)?;
        for (service, path) in [
            (Service::Ledger, "/accounts"),
            (Service::Payments, "/payments"),
        ] {
            let url = format!("{}{path}", test.bank.url(service));
            let asked = test.http.post(url).bearer_auth(&test.staff).json(&body);
            let status = asked.send().await?.status();
            ensure!(!is_ours(status), "POST {path} {body}: {status}");
        }
        for path in ["/api/token/", "/api/token/refresh/"] {
            let url = format!("{}{path}", test.bank.url(Service::Auth));
            let status = test.http.post(url).json(&body).send().await?.status();
            ensure!(!is_ours(status), "POST {path} {body}: {status}");
        }
        let url = format!("{}/oauth2/token", test.bank.url(Service::Auth));
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &text),
            ("client_secret", &text),
        ];
        let status = test.http.post(url).form(&form).send().await?.status();
        ensure!(!is_ours(status), "client {text:?}: {status}");
    }
    goes_on(&test).await
}

/// What each entrance takes, with every field that a text may stand in.
fn good_requests(test: &TestBank) -> Vec<(Service, &'static str, Value)> {
    let mut payment = payment(test.adas, test.graces, "0.01");
    payment["reference"] = json!("Rent");
    payment["effective_date"] = json!("2026-11-01");
    payment["metadata"] = json!({"order": "7"});
    let mut hold = payment.clone();
    hold["payment_id"] = json!(Uuid::now_v7());
    hold["capture"] = json!("manual");
    hold["expires_at"] = json!(common::service::now() + TimeDelta::days(1));
    let posting = |account, direction| json!({"account": account, "direction": direction, "amount": "0.01", "currency": "EUR"});
    let transaction = json!({
        "payment_id": Uuid::now_v7(), "reference": "Rent", "metadata": {"order": "7"}, "effective_date": "2026-11-01",
        "postings": [posting(test.adas, "debit"), posting(test.graces, "credit")],
        "rates": [{"from": "EUR", "to": "USD", "rate": "1.1"}],
    });
    let item = json!({
        "payment_id": Uuid::now_v7(), "creditor_account": test.graces, "amount": "0.01", "reference": "Rent",
        "metadata": {"order": "7"},
    });
    let batch = json!({
        "batch_id": Uuid::now_v7(), "debtor_account": test.adas, "currency": "EUR", "payments": [item],
    });
    let account = json!({
        "account_id": Uuid::now_v7(), "owner": KIOSK, "currency": "EUR", "category": "liability", "name": "Savings",
        "metadata": {"branch": "7"},
    });
    vec![
        (Service::Payments, "/payments", payment),
        (Service::Payments, "/payments", hold),
        (Service::Payments, "/transactions", transaction),
        (Service::Payments, "/payment-batches", batch),
        (Service::Ledger, "/accounts", account),
    ]
}

/// All texts in this value.
fn texts(of: &mut Value) -> Vec<&mut Value> {
    match of {
        Value::String(_) => vec![of],
        Value::Array(items) => items.iter_mut().flat_map(texts).collect(),
        Value::Object(fields) => fields.values_mut().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn no_text_in_a_good_request_of_any_kind_looks_like_our_failure() -> Result<()> {
    let test = TestBank::start().await?;
    let mut dice = Dice(TestRunner::default());
    let nasty = nasty();
    for (service, path, good) in good_requests(&test) {
        let (status, body) = test.post(service, path, &test.staff, &good, None).await?;
        ensure!(matches!(status, 201 | 202), "POST {path}: {status} {body}");
    }
    for (request, (service, path, mut good)) in good_requests(&test).into_iter().enumerate() {
        for place in 0..texts(&mut good).len() {
            for text in ["\0".to_owned(), dice.draw(&nasty)?] {
                // With ids of its own: what is not refused is to be decided, and written.
                let (_, _, mut body) = good_requests(&test).swap_remove(request);
                *texts(&mut body)[place] = json!(text);
                let (status, answer) = test.post(service, path, &test.staff, &body, None).await?;
                ensure!(status < 500, "POST {path} {body}: {status} {answer}");
            }
        }
    }
    goes_on(&test).await
}

#[tokio::test]
async fn no_publish_at_the_door_looks_like_our_failure() -> Result<()> {
    let test = TestBank::start().await?;
    let kiosk = test.kiosk().await?;
    let mut dice = Dice(TestRunner::default());
    let (nasty, any_json) = (nasty(), any_json());
    let names = [
        "Authorization",
        "authorization",
        "ce-id",
        "ce-type",
        "ce-source",
        "ce-specversion",
        "traceparent",
        "Nats-Msg-Id",
        "Nats-Expected-Last-Sequence",
        "Nats-Batch-Id",
        "X-Other",
    ];
    let name = prop::sample::select(names.to_vec());
    for _ in 0..cases() {
        let due = payment(test.adas, test.graces, "0.01");
        let mut headers = if dice.draw(&any::<bool>())? {
            test.kiosk_headers(&due)
        } else {
            HeaderMap::new()
        };
        // What NATS' own client refuses to send is tried byte by byte elsewhere.
        let value: String = dice.draw(&nasty)?.replace(['\r', '\n'], " ");
        headers.append(dice.draw(&name)?, value.as_str());
        let mut body = if dice.draw(&any::<bool>())? {
            due
        } else {
            dice.draw(&any_json)?
        };
        if dice.draw(&any::<bool>())? && body.is_object() {
            body[dice.draw(&nasty)?] = json!(dice.draw(&nasty)?);
        }
        let shown = format!("{headers:?} {body}");
        let subject = format!("request.payment.v1.{KIOSK}");
        let asked = kiosk.request_with_headers(subject, headers, body.to_string().into());
        let asked = tokio::time::timeout(Duration::from_secs(10), asked).await;
        let ack = asked.with_context(|| format!("no answer to {shown}"))??;
        let ack: Value = serde_json::from_slice(&ack.payload)?;
        let code = ack["error"]["code"].as_u64().unwrap_or_default();
        ensure!(code < 500, "{ack} to {shown}");
    }
    goes_on(&test).await
}

/// The bank is none the worse for it.
async fn goes_on(test: &TestBank) -> Result<()> {
    let due = payment(test.adas, test.graces, "1.00");
    let (status, body) = test.pay(&test.ada, due, Some(20)).await?;
    ensure!(status == 202 && body["status"] == "settled", "{body}");
    test.check_invariants().await.map(drop)
}
