//! Files that people ask for: made in the background, handed out by nginx or by the ledger itself, to whom they belong, for a
//! while; whole ones only, whenever the ledger dies.

mod lost;

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use local::Service;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::bank::{PATIENCE, TestBank};

/// From one look to the next.
const LOOK_PAUSE: Duration = Duration::from_millis(20);

/// Somebody who asks at one address: the ledger's own, or the gateway's.
struct Desk<'a> {
    test: &'a TestBank,
    base: String,
    token: &'a str,
}

impl<'a> Desk<'a> {
    fn at_the_ledger(test: &'a TestBank, token: &'a str) -> Self {
        let base = test.bank.url(Service::Ledger);
        Self { test, base, token }
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Response> {
        let url = format!("{}{path}", self.base);
        let mut request = self.test.http.request(method, url).bearer_auth(self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        Ok(request.send().await?)
    }

    async fn status(&self, method: Method, path: &str) -> Result<u16> {
        Ok(self.send(method, path, None).await?.status().as_u16())
    }

    /// Asks for a file; its id.
    async fn ask(&self, wanted: &Value) -> Result<Uuid> {
        let answer = self.send(Method::POST, "/files", Some(wanted)).await?;
        let status = answer.status();
        let location = text(&answer, "location").to_owned();
        let file: Value = answer.json().await?;
        ensure!(status == 202, "{status} {file}");
        let id = file["id"].as_str().context("it has an id")?;
        ensure!(location.ends_with(&format!("/files/{id}")), "{location}");
        Ok(id.parse()?)
    }

    /// The file, once it is made or given up.
    async fn made(&self, id: Uuid) -> Result<Value> {
        let begun = Instant::now();
        loop {
            let answer = self
                .send(Method::GET, &format!("/files/{id}"), None)
                .await?;
            ensure!(answer.status() == 200, "{}", answer.status());
            let file: Value = answer.json().await?;
            if file["state"] != "making" {
                return Ok(file);
            }
            ensure!(begun.elapsed() < PATIENCE, "{file}");
            tokio::time::sleep(LOOK_PAUSE).await;
        }
    }

    /// What a file holds, once it is made.
    async fn content(&self, id: Uuid) -> Result<(Response, Value)> {
        let file = self.made(id).await?;
        ensure!(file["state"] == "ready", "{file}");
        let content = self
            .send(Method::GET, &format!("/files/{id}/content"), None)
            .await?;
        ensure!(content.status() == 200, "{}", content.status());
        Ok((content, file))
    }
}

fn text<'a>(answer: &'a Response, header: &str) -> &'a str {
    let value = answer.headers().get(header);
    value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

fn statement(account: Uuid, format: &str) -> Value {
    json!({"kind": "statement", "account_id": account, "format": format})
}

fn kept(test: &TestBank) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(test.bank.home().media())? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_handed_out_by_nginx_or_by_the_ledger_and_is_the_same() -> Result<()> {
    let test = TestBank::start_behind_gateway(local::Tls::Off).await?;
    let gateway = test.bank.gateway_url().context("it has one")?;
    for n in 0..30 {
        test.settle("1.00", &format!("Number {n}"), None).await?;
    }
    let alone = Desk::at_the_ledger(&test, &test.ada);
    let behind = Desk {
        base: format!("{gateway}/bank"),
        ..Desk::at_the_ledger(&test, &test.ada)
    };
    for (format, kind) in [("csv", "text/csv"), ("camt.053", "application/xml")] {
        let path = format!("/accounts/{}/statement?format={format}", test.adas);
        let direct = alone.send(Method::GET, &path, None).await?;
        let name = text(&direct, "content-disposition").to_owned();
        let direct = direct.text().await?;
        let id = behind.ask(&statement(test.adas, format)).await?;
        for desk in [&alone, &behind] {
            let (content, file) = desk.content(id).await?;
            ensure!(text(&content, "content-type").starts_with(kind));
            ensure!(text(&content, "content-disposition") == name);
            ensure!(text(&content, "cache-control") == "private, no-store");
            ensure!(text(&content, "x-content-type-options") == "nosniff");
            ensure!(text(&content, "x-accel-redirect").is_empty());
            let length: u64 = text(&content, "content-length").parse()?;
            let content = content.text().await?;
            ensure!(Some(length) == file["bytes"].as_u64(), "{file}");
            // When a message was made stands in it.
            ensure!(format == "camt.053" || content == direct, "{content}");
            ensure!(content.matches("Number 29").count() == direct.matches("Number 29").count());
            ensure!(content.len() == direct.len(), "{content}\n{direct}");
        }
        // It is nginx that hands it out: a part of it can be had, and the ledger alone gives none.
        for (desk, status) in [(&behind, 206), (&alone, 200)] {
            let url = format!("{}/files/{id}/content", desk.base);
            let part = test
                .http
                .get(url)
                .bearer_auth(&test.ada)
                .header("range", "bytes=0-3");
            let part = part.send().await?;
            ensure!(part.status() == status, "{}", part.status());
        }
    }
    let list: Value = alone
        .send(Method::GET, "/files", None)
        .await?
        .json()
        .await?;
    let files = list["files"].as_array().context("a list")?;
    ensure!(
        files.len() == 2
            && files[0]["file_name"]
                .as_str()
                .is_some_and(|name| name.ends_with(".xml"))
    );

    // The log, for auditors: each request with its answer, and no token.
    let auditor = Desk {
        token: &test.staff,
        ..Desk::at_the_ledger(&test, &test.ada)
    };
    let id = auditor
        .ask(&json!({"kind": "log", "from": 2, "to": 20}))
        .await?;
    let (content, _) = auditor.content(id).await?;
    let content = content.text().await?;
    ensure!(!content.contains("eyJ"), "a token");
    let lines: Vec<Value> = content
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    ensure!(lines.len() == 19, "{content}");
    for (seq, line) in (2..).zip(&lines) {
        let (_, mut pair) = test
            .get(Service::Ledger, &format!("/log/{seq}"), &test.staff)
            .await?;
        pair["steps"] = Value::Null;
        ensure!(*line == pair, "{line}\n{pair}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_for_whoever_asked_and_for_the_bank_and_is_never_listed() -> Result<()> {
    let test = TestBank::start_behind_gateway(local::Tls::Off).await?;
    let gateway = test.bank.gateway_url().context("it has one")?;
    let grace = test.login("grace@bank.test", "grace-password").await?;
    let desk = |token| Desk::at_the_ledger(&test, token);
    let (ada, grace, staff) = (desk(&test.ada), desk(&grace), desk(&test.staff));
    let id = ada.ask(&statement(test.adas, "csv")).await?;
    ada.content(id).await?;
    let log = staff.ask(&json!({"kind": "log"})).await?;
    staff.content(log).await?;
    let (file, content) = (format!("/files/{id}"), format!("/files/{id}/content"));
    for path in [&file, &content] {
        ensure!(grace.status(Method::GET, path).await? == 404, "{path}");
        ensure!(staff.status(Method::GET, path).await? == 200, "{path}");
        let anybody = test.http.get(format!("{}{path}", ada.base)).send().await?;
        ensure!(anybody.status() == 401, "{path}");
    }
    ensure!(grace.status(Method::DELETE, &file).await? == 404);
    ensure!(
        ada.status(Method::GET, &format!("/files/{log}/content"))
            .await?
            == 404
    );
    let list: Value = grace
        .send(Method::GET, "/files", None)
        .await?
        .json()
        .await?;
    ensure!(list == json!({"files": []}), "{list}");
    // Nobody gets a file past the ledger.
    for path in [
        "/media",
        "/media/",
        &format!("/media/{id}.file"),
        &format!("/media/{id}.json"),
        "/media/../media/",
    ] {
        let answer = test
            .http
            .get(format!("{gateway}{path}"))
            .bearer_auth(&test.ada)
            .send()
            .await?;
        ensure!(answer.status() == 404, "{path}: {}", answer.status());
        ensure!(
            text(&answer, "content-type") == "application/problem+json",
            "{path}"
        );
    }
    // Whoever says where the gateway keeps files gets an empty body from the ledger; through the gateway it changes nothing.
    let forged = test
        .http
        .get(format!("{}{content}", ada.base))
        .bearer_auth(&test.ada);
    let forged = forged.header("x-forwarded-media", "/media").send().await?;
    ensure!(text(&forged, "x-accel-redirect") == format!("/media/{id}.file"));
    ensure!(forged.bytes().await?.is_empty());
    for said in ["/elsewhere", "/etc", ""] {
        for base in [ada.base.clone(), format!("{gateway}/bank")] {
            let request = test
                .http
                .get(format!("{base}{content}"))
                .bearer_auth(&test.ada);
            let answer = request.header("x-forwarded-media", said).send().await?;
            ensure!(
                answer.status() == 200 && !answer.bytes().await?.is_empty(),
                "{said}"
            );
        }
    }
    ensure!(ada.status(Method::DELETE, &file).await? == 204);
    ensure!(ada.status(Method::DELETE, &file).await? == 404);
    ensure!(
        kept(&test)?
            .iter()
            .all(|name| !name.contains(&id.to_string()))
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_may_have_is_not_made_and_two_at_once_are_both_whole() -> Result<()> {
    let test = TestBank::start().await?;
    let ada = Desk::at_the_ledger(&test, &test.ada);
    let staff = Desk::at_the_ledger(&test, &test.staff);
    let own = |name: &str, value: Value| {
        let mut wanted = statement(test.adas, "csv");
        wanted[name] = value;
        wanted
    };
    for (desk, wanted, status) in [
        (&ada, json!({}), 400),
        (&ada, json!({"kind": "everything"}), 400),
        (&ada, own("format", json!("pdf")), 400),
        (&ada, own("more", json!(1)), 400),
        (&ada, own("from", json!("2026-02-30")), 400),
        (&ada, own("from", json!("2999-01-01")), 400),
        (&ada, own("account_id", json!(test.graces)), 404),
        (&ada, own("account_id", json!(Uuid::nil())), 404),
        (&ada, json!({"kind": "log"}), 403),
        (&staff, json!({"kind": "log", "from": 0}), 400),
        (&staff, json!({"kind": "log", "from": 3, "to": 2}), 400),
        (&staff, json!({"kind": "log", "to": 1_000_000}), 400),
        (&staff, json!({"kind": "log", "to": -1}), 400),
    ] {
        let answer = desk.send(Method::POST, "/files", Some(&wanted)).await?;
        ensure!(answer.status() == status, "{wanted}: {}", answer.status());
        ensure!(
            text(&answer, "content-type") == "application/problem+json",
            "{wanted}"
        );
    }
    for path in [
        "/files/x",
        "/files/..%2f..%2fetc",
        "/files/00000000-0000-0000-0000-000000000000/content",
    ] {
        let status = ada.status(Method::GET, path).await?;
        ensure!([400, 404].contains(&status), "{path}: {status}");
    }
    ensure!(kept(&test)?.is_empty());

    let wanted = statement(test.adas, "csv");
    let (one, other) = tokio::join!(ada.ask(&wanted), ada.ask(&wanted));
    let (one, other) = (one?, other?);
    ensure!(one != other);
    let (one, other) = (
        ada.content(one).await?.0.text().await?,
        ada.content(other).await?.0.text().await?,
    );
    ensure!(one == other && one.contains("1000.00"), "{one}\n{other}");

    // However many somebody asks for at once, they have a share only.
    let asked =
        futures::future::join_all((0..40).map(|_| ada.send(Method::POST, "/files", Some(&wanted))))
            .await;
    let mut taken = 0;
    for answer in asked {
        let answer = answer?;
        let is_taken = answer.status() == 202;
        ensure!(is_taken || answer.status() == 429 && text(&answer, "retry-after") == "60");
        taken += usize::from(is_taken);
    }
    ensure!(taken == 18, "{taken}");
    staff.ask(&wanted).await.map(drop)
}
