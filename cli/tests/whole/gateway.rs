//! The bank behind its gateway: links that work there, the client's own address, and services that die under load.

use std::net::IpAddr;
use std::str::FromStr as _;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use local::{Part, Service};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use crate::bank::{PATIENCE, TestBank, payment};

/// How many clients pay at a time, and what each pays.
const CLIENTS: usize = 8;
const PAYMENTS_EACH: usize = 40;

/// A request to a URL as the staff.
async fn ask(test: &TestBank, method: Method, url: &str, body: Option<Value>) -> Result<Response> {
    let mut request = test.http.request(method, url).bearer_auth(&test.staff);
    if let Some(body) = body {
        request = request.json(&body);
    }
    Ok(request.send().await?)
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    let value = answer.headers().get(name);
    value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// Every link that a client is given leads on, through the gateway as without it.
#[tokio::test]
async fn links_carry_the_prefix_behind_the_gateway_and_none_without_it() -> Result<()> {
    let test = TestBank::start_behind_gateway(local::Tls::Off).await?;
    let gateway = test.bank.gateway_url().context("it has one")?;
    for (service, prefix) in [(Service::Ledger, "/bank"), (Service::Payments, "/payment")] {
        let direct = test.bank.url(service);
        for (base, host, prefix) in [
            (format!("{gateway}{prefix}"), &gateway, prefix),
            (direct.clone(), &direct, ""),
        ] {
            let (path, body) = match service {
                Service::Ledger => (
                    "/accounts",
                    json!({"owner": "bank", "currency": "EUR", "category": "asset"}),
                ),
                _ => ("/payments", payment(test.cash, test.adas, "1.00")),
            };
            let made = ask(&test, Method::POST, &format!("{base}{path}"), Some(body)).await?;
            let location = header(&made, "location").to_owned();
            ensure!(
                location.starts_with(&format!("{prefix}{path}/")),
                "{base}: {location}"
            );
            let there = ask(&test, Method::GET, &format!("{host}{location}"), None).await?;
            ensure!(there.status() == 200, "{location}: {}", there.status());

            let list = format!("{base}{path}?limit=1");
            let list = ask(&test, Method::GET, &list, None).await?;
            let link = header(&list, "link").to_owned();
            let next = list.json::<Value>().await?["next"].clone();
            let next = next.as_str().context("the list goes on")?;
            ensure!(next.starts_with(&format!("{prefix}{path}?")), "{next}");
            ensure!(link == format!("<{next}>; rel=\"next\""), "{link}");
            let more = ask(&test, Method::GET, &format!("{host}{next}"), None).await?;
            ensure!(more.status() == 200, "{next}: {}", more.status());
        }
    }
    // What has no form of a prefix changes nothing.
    let list = format!("{}/accounts?limit=1", test.bank.url(Service::Ledger));
    let list = test.http.get(list).bearer_auth(&test.staff);
    let list = list.header("x-forwarded-prefix", "//evil.example");
    let list: Value = list.send().await?.json().await?;
    ensure!(
        list["next"]
            .as_str()
            .is_some_and(|next| next.starts_with("/accounts?"))
    );
    Ok(())
}

/// Where a person logged in from is what auth counts by, and what auditors read.
#[tokio::test]
async fn behind_the_gateway_a_client_cannot_say_where_it_comes_from() -> Result<()> {
    let test = TestBank::start_behind_gateway(local::Tls::Off).await?;
    let gateway = test.bank.gateway_url().context("it has one")?;
    // Everywhere but on Linux, loopback is one address.
    let there = if cfg!(target_os = "linux") {
        "127.0.0.2"
    } else {
        "127.0.0.1"
    };
    let from_there = reqwest::Client::builder().local_address(IpAddr::from_str(there)?);
    let login = json!({"email": "ada@bank.test", "password": "ada-password"});
    let answer = from_there
        .build()?
        .post(format!("{gateway}/auth/api/token/"))
        .header("x-forwarded-for", "192.0.2.7")
        .header("forwarded", "for=192.0.2.8")
        .header("x-real-ip", "192.0.2.9")
        .json(&login);
    let status = answer.send().await?.status();
    ensure!(status == 200, "{status}");
    let url = test.bank.servers().superuser_database_url(Service::Auth);
    let mut database = PgConnection::connect(&url).await?;
    let last = "select detail->>'address' from events where what = 'user.logged_in' order by id desc limit 1";
    let address: String = sqlx::query_scalar(last).fetch_one(&mut database).await?;
    ensure!(address == there, "{address}");
    Ok(())
}

/// One payment, sent until it is settled; each other answer must say that the service is away. How often it was sent.
pub(crate) async fn pay_surely(
    http: &reqwest::Client,
    url: &str,
    token: &str,
    body: &Value,
) -> Result<usize> {
    for tries in 1.. {
        let request = http.post(url).bearer_auth(token).json(body);
        let answer = request.header("prefer", "wait=5").send().await?;
        let status = answer.status().as_u16();
        let kind = header(&answer, "content-type").to_owned();
        let text = answer.text().await?;
        let answer: Value = serde_json::from_str(&text).with_context(|| text.clone())?;
        if status == 202 && answer["status"] == "settled" {
            return Ok(tries);
        }
        let is_away = [502, 503, 504].contains(&status) && kind == "application/problem+json";
        ensure!(status == 202 || is_away, "{status} {kind} {text}");
        // As long as `Retry-After` says would be a long test.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    unreachable!("the loop has no end")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_killed_under_load_is_told_as_a_problem_and_no_payment_is_lost_or_doubled()
-> Result<()> {
    let mut test = TestBank::start_behind_gateway(local::Tls::Off).await?;
    let gateway = test.bank.gateway_url().context("it has one")?;
    let url = format!("{gateway}/payment/payments");
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (http, url, token) = (test.http.clone(), url.clone(), test.ada.clone());
            let (from, to) = (test.adas, test.graces);
            tokio::spawn(async move {
                let mut tries = 0;
                for _ in 0..PAYMENTS_EACH {
                    tries += pay_surely(&http, &url, &token, &payment(from, to, "0.50")).await?;
                }
                anyhow::Ok(tries)
            })
        })
        .collect();
    for part in [Part::Payments, Part::Gateway, Part::Ledger, Part::Payments] {
        if part == Part::Gateway {
            // Reads its configuration again: nobody notices.
            test.bank.reload_gateway();
            continue;
        }
        test.bank.kill(part);
        test.bank.start_part(part).await?;
    }
    let mut tries = 0;
    for client in clients {
        tries += tokio::time::timeout(PATIENCE, client).await???;
    }
    let paid = CLIENTS * PAYMENTS_EACH;
    ensure!(tries > paid, "nobody noticed that a service was away");
    // 320 payments of 0.50 EUR, however often each was sent.
    ensure!(test.posted(test.adas).await? == "840.00");
    ensure!(test.posted(test.graces).await? == "1160.00");
    test.check_invariants().await?;
    Ok(())
}
