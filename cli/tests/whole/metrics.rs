//! `GET /metrics`: what each service counts follows what happens, and no client makes it grow.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, ensure};
use local::Service;
use reqwest::Method;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::bank::{PATIENCE, TestBank, payment};

const SETTLED: u32 = 12;
const REJECTED: u32 = 3;

/// What one service counts.
struct Counted(String);

impl Counted {
    async fn by(test: &TestBank, service: Service) -> Result<Self> {
        let url = format!("{}/metrics", test.bank.url(service));
        Ok(Self(test.http.get(url).send().await?.text().await?))
    }

    fn get(&self, series: &str) -> Option<f64> {
        let mut lines = self.0.lines();
        let value = lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value?.parse().ok()
    }

    fn of(&self, series: &str) -> Result<f64> {
        self.get(series)
            .with_context(|| format!("no {series} in {}", self.0))
    }

    fn is(&self, series: &str, expected: f64) -> Result<()> {
        let found = self.of(series)?;
        ensure!(
            found.total_cmp(&expected).is_eq(),
            "{series} is {found} and not {expected}"
        );
        Ok(())
    }

    fn series(&self) -> usize {
        let lines = self.0.lines();
        lines.filter(|line| line.starts_with("quittance_")).count()
    }
}

/// Waits until a service counts so.
async fn until(
    test: &TestBank,
    service: Service,
    is_it: impl Fn(&Counted) -> bool,
) -> Result<Counted> {
    let began = Instant::now();
    loop {
        let counted = Counted::by(test, service).await?;
        if is_it(&counted) {
            return Ok(counted);
        }
        ensure!(began.elapsed() < PATIENCE, "{service}: {}", counted.0);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn pay_some(test: &TestBank) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    for amount in ["1.00"; 12].iter().chain(&["5000.00"; 3]) {
        let due = payment(test.adas, test.graces, amount);
        let (status, body) = test.pay(&test.ada, due.clone(), Some(20)).await?;
        ensure!(status == 202 || status == 422, "{status} {body}");
        let id = due["payment_id"].as_str().context("an id")?;
        paths.push(format!("/payments/{id}"));
    }
    for path in &paths {
        let (status, body) = test.get(Service::Payments, path, &test.ada).await?;
        ensure!(status == 200, "{body}");
    }
    Ok(paths)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_counted_where_it_happens() -> Result<()> {
    let test = TestBank::start().await?;
    pay_some(&test).await?;
    let summary = test.check_invariants().await?;
    let requests = f64::from(u32::try_from(summary.requests)?);

    let ledger = until(&test, Service::Ledger, |ledger| {
        let length = |log| ledger.get(&format!("quittance_log_messages{{log=\"{log}\"}}"));
        let known = [length("REQUESTS"), length("SETTLEMENTS")];
        known == [Some(requests); 2]
            && ledger.0.contains("quittance_books_balanced")
            && ledger.0.contains("quittance_chain_head_timestamp_seconds ")
            && ledger.0.contains("quittance_broker_storage_bytes ")
    })
    .await?;
    for (series, expected) in [
        ("quittance_ledger_leading", 1.0),
        ("quittance_ledger_cursor", requests),
        ("quittance_ledger_published", requests),
        ("quittance_batch_messages_sum", requests),
        ("quittance_unanswered_seconds", 0.0),
        (
            "quittance_answers_total{status=\"settled\",code=\"\"}",
            // Two deposits.
            f64::from(SETTLED + 2),
        ),
        (
            "quittance_answers_total{status=\"rejected\",code=\"AM04\"}",
            f64::from(REJECTED),
        ),
        ("quittance_books_balanced{currency=\"EUR\"}", 1.0),
    ] {
        ledger.is(series, expected)?;
    }
    let batches = ledger.of("quittance_batch_messages_count")?;
    for step in ["verify", "load", "decide", "write", "publish"] {
        let count = format!("quittance_batch_step_seconds_count{{step=\"{step}\"}}");
        ledger.is(&count, batches)?;
    }
    let now = SystemTime::UNIX_EPOCH.elapsed()?;
    let soon = now + Duration::from_secs(1);
    let lately = now.saturating_sub(Duration::from_secs(600));
    let head = ledger.of("quittance_chain_head_timestamp_seconds")?;
    let head = Duration::from_secs_f64(head);
    ensure!((lately..soon).contains(&head), "{head:?} at {now:?}");
    let most = ledger.of("quittance_broker_storage_bytes_max")?;
    ensure!(ledger.of("quittance_broker_storage_bytes")? < most);

    let payments = Counted::by(&test, Service::Payments).await?;
    let all = f64::from(SETTLED + REJECTED);
    let all_with_deposits = f64::from(SETTLED + REJECTED + 2);
    for (series, expected) in [
        (
            "quittance_payments_total{state=\"settled\"}",
            f64::from(SETTLED + 2),
        ),
        (
            "quittance_payments_total{state=\"rejected\"}",
            f64::from(REJECTED),
        ),
        (
            "quittance_submit_to_settle_seconds_count",
            all_with_deposits,
        ),
        ("quittance_projection_cursor{log=\"SETTLEMENTS\"}", requests),
        (
            "quittance_http_requests_total{route=\"/payments\",method=\"POST\",status=\"422\"}",
            f64::from(REJECTED),
        ),
        (
            "quittance_http_requests_total{route=\"/payments/{payment_id}\",method=\"GET\",status=\"200\"}",
            all,
        ),
        ("quittance_door_waiting", 0.0),
        ("quittance_door_group_messages_sum", all_with_deposits),
    ] {
        payments.is(series, expected)?;
    }

    let wrong = test.login("ada@bank.test", "not the password").await;
    ensure!(wrong.is_err(), "let in");
    let auth = until(&test, Service::Auth, |auth| {
        auth.0
            .contains("quittance_signing_key_due_timestamp_seconds")
    })
    .await?;
    ensure!(auth.of("quittance_password_seconds_count")? >= 3.0);
    ensure!(auth.of("quittance_signing_key_due_timestamp_seconds")? > now.as_secs_f64());
    auth.is("quittance_password_waiting", 0.0)?;
    for service in Service::ALL {
        let counted = Counted::by(&test, service).await?;
        counted.is("quittance_database_connections{state=\"max\"}", 10.0)?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn books_that_do_not_balance_are_seen_within_a_minute() -> Result<()> {
    let test = TestBank::start().await?;
    let balanced = "quittance_books_balanced{currency=\"EUR\"}";
    until(&test, Service::Ledger, |ledger| {
        ledger.get(balanced) == Some(1.0)
    })
    .await?;
    let owner = test.bank.servers().owner_database_url(Service::Ledger);
    let mut owner = PgConnection::connect(&owner).await?;
    for statement in [
        "alter table posting disable trigger posting_is_append_only",
        "update posting set balance = balance + 1 where request_seq = (select max(request_seq) from posting)
         and amount > 0",
    ] {
        sqlx::raw_sql(statement).execute(&mut owner).await?;
    }
    until(&test, Service::Ledger, |ledger| {
        ledger.get(balanced) == Some(0.0)
    })
    .await
    .map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_client_makes_what_is_counted_grow() -> Result<()> {
    let test = TestBank::start().await?;
    pay_some(&test).await?;
    let strange = async || -> Result<()> {
        for number in 0..20 {
            let base = test.bank.url(Service::Payments);
            let path = format!("{base}/nothing/{number}");
            test.http.get(path).send().await?;
            let id = Uuid::now_v7();
            test.http
                .get(format!("{base}/payments/{id}"))
                .bearer_auth(&test.ada)
                .send()
                .await?;
            let method = Method::from_bytes(format!("STRANGE{number}").as_bytes())?;
            let path = format!("{base}/payments");
            test.http.request(method, path).send().await?;
        }
        Ok(())
    };
    strange().await?;
    let before = Counted::by(&test, Service::Payments).await?;
    pay_some(&test).await?;
    strange().await?;
    let after = Counted::by(&test, Service::Payments).await?;
    ensure!(
        before.series() == after.series(),
        "{}\n{}",
        before.0,
        after.0
    );
    ensure!(
        !after.0.contains(&test.adas.to_string()) && !after.0.contains("user-"),
        "{}",
        after.0
    );
    Ok(())
}
