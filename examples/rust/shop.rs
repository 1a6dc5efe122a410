//! A shop in Rust: pays over HTTP and over NATS, reads its answers durably, and keeps a receipt.
//!
//! ../README.md says what it needs. In a crate of your own: anyhow, async-nats, futures, reqwest (json, form), `serde_json`,
//! tokio and uuid, in the versions of this workspace's Cargo.toml.
#![expect(clippy::print_stdout, reason = "it tells what happens")]

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use async_nats::{Client, ConnectOptions, HeaderMap, jetstream};
use futures::StreamExt as _;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use uuid::Uuid;

fn variable(name: &str) -> Result<String> {
    std::env::var(name).with_context(|| format!("{name} is not set"))
}

/// The shop, and where the bank is.
struct Shop {
    http: reqwest::Client,
    url: String,
    id: String,
    secret: String,
}

impl Shop {
    fn from_environment() -> Result<Self> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(40));
        Ok(Self {
            http: http.build()?,
            url: variable("QUITTANCE_URL")?,
            id: variable("QUITTANCE_CLIENT_ID")?,
            secret: variable("QUITTANCE_CLIENT_SECRET")?,
        })
    }

    /// For HTTP (`quittance`) or for messages (`quittance-log`). It lives five minutes.
    async fn token(&self, audience: &str) -> Result<String> {
        let form = [("grant_type", "client_credentials"), ("audience", audience)];
        let request = self.http.post(format!("{}/auth/oauth2/token", self.url));
        let request = request.basic_auth(&self.id, Some(&self.secret)).form(&form);
        let granted = answer(request).await?;
        let token = granted["access_token"].as_str().context("no token")?;
        Ok(token.to_owned())
    }

    /// Returns the number of the stored request. If no answer comes, send the same again: it pays once.
    async fn pay_over_nats(&self, nats: &Client, payment: &Value) -> Result<u64> {
        let mut headers = HeaderMap::new();
        let token = self.token("quittance-log").await?;
        headers.insert("Authorization", format!("Bearer {token}"));
        let subject = format!("request.payment.v1.{}", self.id);
        let body = payment.to_string();
        let send =
            || nats.request_with_headers(subject.clone(), headers.clone(), body.clone().into());
        let stored = match send().await {
            Ok(stored) => stored,
            Err(_) => send().await.context("the bank does not answer")?,
        };
        let ack: Value = serde_json::from_slice(&stored.payload)?;
        ack["seq"]
            .as_u64()
            .with_context(|| format!("refused: {ack}"))
    }

    /// Reads answers until the one to `seq`. The durable consumer keeps what nobody has acknowledged.
    async fn read_until(&self, nats: &Client, seq: u64) -> Result<()> {
        let jetstream = jetstream::with_domain(nats.clone(), "quittance");
        let consumer: jetstream::consumer::PullConsumer = jetstream
            .get_consumer_from_stream(&self.id, "SETTLEMENTS")
            .await?;
        // In your database, written in the transaction that ships the order.
        let mut done = BTreeSet::new();
        loop {
            let fetch = consumer
                .fetch()
                .max_messages(100)
                .expires(Duration::from_secs(10));
            let mut messages = fetch.messages().await?;
            let mut count = 0;
            while let Some(message) = messages.next().await {
                let message = message.map_err(anyhow::Error::from_boxed)?;
                let answer: Value = serde_json::from_slice(&message.payload)?;
                // The same message may come again, and so may the same payment, as a duplicate.
                let key = format!("{} {}", answer["payment_id"], answer["status"]);
                if done.insert(key) {
                    println!("answer {}: {}", answer["request_seq"], answer["status"]);
                }
                // After the work is done, never before.
                message.ack().await.map_err(anyhow::Error::from_boxed)?;
                if answer["request_seq"] == seq {
                    return Ok(());
                }
                count += 1;
            }
            ensure!(count > 0, "no answer to request {seq} yet; it will come");
        }
    }
}

/// What the bank answers. What went wrong is a problem document: its title and detail are for people.
async fn answer(request: RequestBuilder) -> Result<Value> {
    let answer = request.send().await?;
    let status = answer.status();
    if !status.is_success() {
        bail!("{status} {}", answer.text().await?);
    }
    Ok(answer.json().await?)
}

/// Make the id once for each order and keep it with the order: sent again under the same id, it pays once.
fn payment(reference: &str) -> Result<Value> {
    Ok(json!({
        "payment_id": Uuid::now_v7(),
        "debtor_account": variable("QUITTANCE_DEBTOR")?,
        "creditor_account": variable("QUITTANCE_CREDITOR")?,
        "amount": "1.50",
        "currency": "EUR",
        "reference": reference,
    }))
}

#[tokio::main]
async fn main() -> Result<()> {
    let shop = Shop::from_environment()?;
    let token = shop.token("quittance").await?;
    let request = shop.http.post(format!("{}/payment/payments", shop.url));
    let request = request.bearer_auth(&token).header("Prefer", "wait=20");
    let paid = answer(request.json(&payment("Order 1")?)).await?;
    println!(
        "over HTTP: {}, as request {}",
        paid["status"], paid["request_seq"]
    );

    let (user, password) = (
        variable("QUITTANCE_NATS_USER")?,
        variable("QUITTANCE_NATS_PASSWORD")?,
    );
    let nats = ConnectOptions::with_user_and_password(user, password)
        .custom_inbox_prefix(format!("_INBOX_{}", shop.id))
        .connect(variable("QUITTANCE_NATS")?)
        .await?;
    let seq = shop.pay_over_nats(&nats, &payment("Order 2")?).await?;
    shop.read_until(&nats, seq).await?;

    let request = shop
        .http
        .get(format!("{}/bank/transactions/{seq}/receipt", shop.url));
    let receipt = answer(request.bearer_auth(&token)).await?;
    std::fs::write("receipt.json", receipt.to_string())?;
    println!("receipt.json proves it");
    Ok(())
}
