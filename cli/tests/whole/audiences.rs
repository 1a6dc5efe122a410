//! A token that stands in the log is worthless over HTTP, and one for HTTP is worthless in the log.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use common::broker;
use common::wire::{AUTHORIZATION, REQUESTS};
use local::{Part, Service};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::bank::{CLIENT_SECRET, KIOSK, SHOP, TestBank, payment};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_the_log_can_do_nothing_with_the_tokens_in_it() -> Result<()> {
    let test = TestBank::start().await?;
    // The deposits of the staff are in the log, and the auditor may read it.
    let streams = test.audit().await?;
    let last = broker::last_sequence(&streams, REQUESTS).await?;
    let request = broker::get(&streams, REQUESTS, last)
        .await?
        .context("the last request")?;
    let found = request.header(AUTHORIZATION).context("a token")?;
    let found = found.strip_prefix("Bearer ").context("a bearer token")?;

    let stolen = payment(test.graces, test.adas, "1.00");
    let (status, body) = test.pay(found, stolen, None).await?;
    ensure!(
        status == 401 && says_audience(&body, "quittance"),
        "{status} {body}"
    );
    let account = json!({"owner": "bank", "currency": "EUR"});
    let (status, body) = test
        .post(Service::Ledger, "/accounts", found, &account, None)
        .await?;
    ensure!(
        status == 401 && says_audience(&body, "quittance"),
        "{status} {body}"
    );
    for (service, path) in [
        (Service::Ledger, format!("/accounts/{}", test.adas)),
        (Service::Payments, "/payments".to_owned()),
    ] {
        let (status, body) = test.get(service, &path, found).await?;
        ensure!(
            status == 401 && says_audience(&body, "quittance"),
            "{path}: {status} {body}"
        );
    }
    // Nor does auth make a better one of it, whoever asks.
    for client in [SHOP, "payments"] {
        let exchange = [
            (
                "grant_type",
                "urn:ietf:params:oauth:grant-type:token-exchange",
            ),
            ("client_id", client),
            ("client_secret", CLIENT_SECRET),
            ("subject_token", found),
            (
                "subject_token_type",
                "urn:ietf:params:oauth:token-type:access_token",
            ),
            ("audience", "quittance"),
        ];
        let url = format!("{}/oauth2/token", test.bank.url(Service::Auth));
        let answer = test.http.post(url).form(&exchange).send().await?;
        ensure!(
            answer.status() == StatusCode::UNAUTHORIZED,
            "{client}: {}",
            answer.text().await?
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_http_does_not_pass_in_messages() -> Result<()> {
    let test = TestBank::start().await?;
    // The door refuses it at once.
    let (kiosk, paid) = (test.kiosk().await?, payment(test.adas, test.graces, "1.00"));
    let mut headers = test.kiosk_headers(&paid);
    let over_http = test.client_token(KIOSK, "quittance").await?;
    headers.insert("Authorization", format!("Bearer {over_http}"));
    let subject = format!("request.payment.v1.{KIOSK}");
    let ack = kiosk
        .request_with_headers(subject, headers, paid.to_string().into())
        .await?;
    let ack: Value = serde_json::from_slice(&ack.payload)?;
    let refusal = ack["error"]["description"].as_str().unwrap_or_default();
    ensure!(refusal.contains("aud_rejected"), "{ack}");
    // The ledger refuses what reached the log by the direct way.
    let (shop, paid) = (
        test.producer().await?,
        payment(test.adas, test.graces, "1.00"),
    );
    let mut headers = test.headers(&paid);
    let over_http = test.client_token(SHOP, "quittance").await?;
    headers.insert("Authorization", format!("Bearer {over_http}"));
    let seq = test.publish(&shop, headers, paid.to_string()).await?;
    let answer = test.settlement(seq).await?;
    let reason = answer.reason.context("a rejection")?.message;
    ensure!(reason.starts_with("aud_rejected"), "{reason}");
    test.check_invariants().await?;
    Ok(())
}

/// A token is exchanged once. While auth is away, everybody who has paid goes on paying.
#[tokio::test(flavor = "multi_thread")]
async fn auth_is_asked_once_for_each_token() -> Result<()> {
    let mut test = TestBank::start().await?;
    let other = test.login("ada@bank.test", "ada-password").await?;
    let pay = async |test: &TestBank, token: &str| {
        let started = Instant::now();
        let paid = payment(test.adas, test.graces, "0.01");
        let (status, body) = test.pay(token, paid, Some(20)).await?;
        anyhow::Ok((status, body, started.elapsed()))
    };
    let (status, body, first) = pay(&test, &test.ada).await?;
    ensure!(status == 202, "{status} {body}");
    let (status, body, second) = pay(&test, &test.ada).await?;
    ensure!(status == 202, "{status} {body}");
    println!("first payment of a token {first:?}, second {second:?}");

    test.bank.kill(Part::Auth);
    let (status, body, _) = pay(&test, &test.ada).await?;
    ensure!(
        status == 202 && body["status"] == "settled",
        "{status} {body}"
    );
    let (status, body, _) = pay(&test, &other).await?;
    ensure!(status == 503, "{status} {body}");
    let detail = body["detail"].as_str().unwrap_or_default();
    ensure!(detail.contains("auth does not answer"), "{body}");
    test.bank.start_part(Part::Auth).await?;
    let (status, body, _) = pay(&test, &other).await?;
    ensure!(
        status == 202 && body["status"] == "settled",
        "{status} {body}"
    );
    test.check_invariants().await?;
    Ok(())
}

/// Everything that the three services log while people log in, pay, are refused and log out.
#[tokio::test(flavor = "multi_thread")]
async fn logs_hold_no_token() -> Result<()> {
    let test = TestBank::start().await?;
    let pair = json!({"email": "ada@bank.test", "password": "ada-password"});
    let url = |path: &str| format!("{}{path}", test.bank.url(Service::Auth));
    let pair: Value = test
        .http
        .post(url("/api/token/"))
        .json(&pair)
        .send()
        .await?
        .json()
        .await?;
    let (access, refresh) = (
        pair["access"].as_str().context("a token")?,
        &pair["refresh"],
    );
    let paid = payment(test.adas, test.graces, "1.00");
    ensure!(test.pay(access, paid.clone(), Some(20)).await?.0 == 202);
    ensure!(test.pay(&format!("{access}x"), paid.clone(), None).await?.0 == 401);
    ensure!(
        test.pay(refresh.as_str().context("a token")?, paid.clone(), None)
            .await?
            .0
            == 401
    );
    let shop = test.producer().await?;
    for token in [&test.shop, access, "x.y.z"] {
        let mut headers = test.headers(&paid);
        headers.insert("Authorization", format!("Bearer {token}"));
        test.publish(&shop, headers, paid.to_string()).await?;
    }
    let refreshed = test
        .http
        .post(url("/api/token/refresh/"))
        .json(&json!({"refresh": refresh}));
    ensure!(refreshed.send().await?.status() == StatusCode::OK);
    let out = test
        .http
        .post(url("/api/token/blacklist/"))
        .json(&json!({"refresh": refresh}));
    ensure!(out.send().await?.status() == StatusCode::RESET_CONTENT);
    test.check_invariants().await?;
    for part in [Part::Auth, Part::Ledger, Part::Payments] {
        let log = std::fs::read_to_string(test.bank.home().log(part))?;
        ensure!(!log.is_empty(), "{part:?} logs nothing");
        ensure!(!log.contains("eyJ"), "a token is in the log of {part:?}");
        ensure!(
            !log.contains("ada-password") && !log.contains(CLIENT_SECRET),
            "{part:?}"
        );
    }
    Ok(())
}

fn says_audience(body: &Value, audience: &str) -> bool {
    body["detail"] == format!("aud_rejected: the audience is not {audience}")
}
