//! Revocations go through the log: every later request under the token is rejected, every earlier one keeps its answer, and
//! a replay agrees.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use common::token::Target;
use local::{Part, Service};
use serde_json::Value;
use sqlx::postgres::PgPool;
use sqlx::types::Json;
use uuid::Uuid;

use crate::bank::{PATIENCE, SHOP, TestBank, payment};

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_passes_nowhere_and_what_it_paid_stays_paid() -> Result<()> {
    let mut test = TestBank::start().await?;
    let paid = payment(test.adas, test.graces, "1.00");
    let (status, body) = test.pay(&test.ada, paid.clone(), Some(20)).await?;
    ensure!(
        status == 202 && body["status"] == "settled",
        "{status} {body}"
    );
    let other_login = test.login("ada@bank.test", "ada-password").await?;

    let session = claims(&test.ada)?["sid"]
        .as_str()
        .context("a session")?
        .to_owned();
    let started = Instant::now();
    revoke(&test, &Target::Session { sid: session }).await?;
    let noted = started.elapsed();
    let is_refused = async |test: &TestBank| {
        let (status, body) = test
            .pay(&test.ada, payment(test.adas, test.graces, "1.00"), None)
            .await?;
        anyhow::Ok(status == 401 && says_revoked(&body))
    };
    while !is_refused(&test).await? {
        ensure!(started.elapsed() < PATIENCE, "payments never hears of it");
    }
    println!(
        "from the row in auth's database to noted {noted:?}, to a refusal by payments {:?}",
        started.elapsed()
    );

    for (service, path) in [
        (Service::Ledger, format!("/accounts/{}", test.adas)),
        (
            Service::Payments,
            format!(
                "/payments/{}",
                paid["payment_id"].as_str().context("an id")?
            ),
        ),
    ] {
        let (status, body) = test.get(service, &path, &test.ada).await?;
        ensure!(
            status == 401 && says_revoked(&body),
            "{path}: {status} {body}"
        );
        // Another login of hers goes on, and sees what was paid.
        let (status, body) = test.get(service, &path, &other_login).await?;
        ensure!(status == 200, "{path}: {status} {body}");
    }
    // Whoever starts again still knows.
    for part in [Part::Payments, Part::Ledger] {
        test.bank.kill(part);
        test.bank.start_part(part).await?;
    }
    ensure!(is_refused(&test).await?);
    test.check_invariants().await?;
    Ok(())
}

/// Published side by side, so that the revocation stands somewhere between payments, inside one batch of the ledger.
#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_counts_from_its_place_in_the_log() -> Result<()> {
    let mut test = TestBank::start().await?;
    let shop = test.producer().await?;
    test.bank.stop_part(Part::Ledger);
    let issued_until = claims(&test.shop)?["iat"].as_i64().context("a time")?;
    let target = Target::Client {
        client_id: SHOP.parse()?,
        issued_until,
    };
    let mut sequences = Vec::new();
    for number in 0..20 {
        if number == 10 {
            request(&test, &target).await?;
            wait_until_published(&test).await?;
        }
        // The ledger is away, and this one waits for no answer to the other.
        if number == 15 {
            let jti = "somebody else's".to_owned();
            request(&test, &Target::Token { jti }).await?;
            wait_until_published(&test).await?;
        }
        let paid = payment(test.adas, test.graces, "0.01");
        sequences.push(
            test.publish(&shop, test.headers(&paid), paid.to_string())
                .await?,
        );
    }
    test.bank.start_part(Part::Ledger).await?;
    for (number, seq) in sequences.into_iter().enumerate() {
        let answer = test.settlement(seq).await?;
        let reason = answer
            .reason
            .map(|reason| reason.message)
            .unwrap_or_default();
        let is_revoked = reason.starts_with("revoked");
        ensure!(
            is_revoked == (number >= 10),
            "payment {number}: {:?} {reason}",
            answer.status
        );
        // The id stays free: a new token may pay with it.
        ensure!(answer.may_retry == is_revoked);
    }
    test.check_invariants().await?;
    Ok(())
}

/// `kill -9` for auth behind its database: the revocation is neither lost nor half, whoever publishes it.
#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_survives_the_death_of_auth() -> Result<()> {
    let mut test = TestBank::start().await?;
    let session = claims(&test.ada)?["sid"]
        .as_str()
        .context("a session")?
        .to_owned();
    // Exchanged once, it needs auth no more.
    let paid = payment(test.adas, test.graces, "1.00");
    ensure!(test.pay(&test.ada, paid, None).await?.0 == 202);
    test.bank.kill(Part::Auth);
    let target = Target::Session { sid: session };
    request(&test, &target).await?;
    let paid = payment(test.adas, test.graces, "1.00");
    let (status, body) = test.pay(&test.ada, paid, Some(20)).await?;
    ensure!(status == 202, "nobody has heard of it yet: {status} {body}");
    test.bank.start_part(Part::Auth).await?;
    wait_until_noted(&test).await?;
    // The same again, and a second auth beside the first: the ledger says that it knows.
    let second = test.bank.spawn_second(Service::Auth, "auth-2", &[])?;
    request(&test, &target).await?;
    wait_until_noted(&test).await?;
    drop(second);
    let paid = payment(test.adas, test.graces, "1.00");
    let (status, body) = test.pay(&test.ada, paid, Some(20)).await?;
    ensure!(status == 401 && says_revoked(&body), "{status} {body}");
    test.check_invariants().await?;
    Ok(())
}

fn says_revoked(body: &Value) -> bool {
    body["detail"]
        .as_str()
        .is_some_and(|detail| detail.starts_with("revoked"))
}

/// What a token says.
fn claims(token: &str) -> Result<Value> {
    use base64::Engine as _;
    let part = token.split('.').nth(1).context("claims")?;
    let json = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part)?;
    Ok(serde_json::from_slice(&json)?)
}

async fn revoke(test: &TestBank, target: &Target) -> Result<()> {
    request(test, target).await?;
    wait_until_noted(test).await
}

/// What auth does in the transaction in which something ends.
async fn request(test: &TestBank, target: &Target) -> Result<()> {
    let database = auth(test).await?;
    sqlx::query(
        "insert into revocations (id, target, because, requested_at) values ($1, $2, 'tested', now())",
    )
    .bind(Uuid::now_v7())
    .bind(Json(target))
    .execute(&database)
    .await?;
    Ok(())
}

async fn wait_until_noted(test: &TestBank) -> Result<()> {
    let database = auth(test).await?;
    let started = Instant::now();
    loop {
        let waiting: i64 =
            sqlx::query_scalar("select count(*) from revocations where noted_seq is null")
                .fetch_one(&database)
                .await?;
        if waiting == 0 {
            return Ok(());
        }
        ensure!(started.elapsed() < PATIENCE, "never noted");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Nobody answers it: the ledger is away.
async fn wait_until_published(test: &TestBank) -> Result<()> {
    let streams = test.audit().await?;
    let started = Instant::now();
    let subject = common::kinds::revocation::SUBJECT;
    loop {
        let last = common::broker::last_sequence(&streams, common::wire::REQUESTS).await?;
        let request = common::broker::get(&streams, common::wire::REQUESTS, last).await?;
        if request.is_some_and(|request| request.subject == subject) {
            return Ok(());
        }
        ensure!(started.elapsed() < PATIENCE, "never published");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn auth(test: &TestBank) -> Result<PgPool> {
    Ok(PgPool::connect(&test.bank.servers().database_url(Service::Auth)).await?)
}
