//! A bank whose signing keys change while it pays: nobody notices a rotation, nothing passes that a revoked key has signed,
//! and a replay agrees.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use auth::people::{Role, ensure_user};
use local::{Part, Service};
use serde_json::{Value, json};
use sqlx::postgres::PgPool;

use crate::bank::{PATIENCE, SHOP, TestBank, payment};

/// An administrator's login, by the key that signs now.
async fn admin(test: &TestBank) -> Result<String> {
    let directory = PgPool::connect(&test.bank.servers().database_url(Service::Auth)).await?;
    ensure_user(&directory, "admin@bank.test", "admin-password", Role::Admin).await?;
    test.login("admin@bank.test", "admin-password").await
}

async fn change(test: &TestBank, admin: &str, action: &str, body: &Value) -> Result<()> {
    let url = format!("{}/api/keys/{action}", test.bank.url(Service::Auth));
    let request = test.http.post(url).bearer_auth(admin).json(body);
    let answer = request.send().await?;
    let status = answer.status();
    ensure!(status == 200, "{action}: {status} {}", answer.text().await?);
    Ok(())
}

/// Ada's login by another key than this.
async fn login_by_another(test: &TestBank, kid: &str) -> Result<String> {
    let started = Instant::now();
    loop {
        if let Ok(token) = test.login("ada@bank.test", "ada-password").await
            && self::kid(&token)? != kid
        {
            return Ok(token);
        }
        ensure!(started.elapsed() < PATIENCE, "no other key signs");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn kid(token: &str) -> Result<String> {
    use base64::Engine as _;
    let part = token.split('.').next().context("a header")?;
    let json = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part)?;
    let header: Value = serde_json::from_slice(&json)?;
    Ok(header["kid"].as_str().context("a kid")?.to_owned())
}

async fn pays(test: &TestBank, token: &str) -> Result<(u16, Value)> {
    let payment = payment(test.adas, test.graces, "1.00");
    test.pay(token, payment, Some(20)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_pays_on_while_its_keys_change() -> Result<()> {
    let mut test = TestBank::start().await?;
    let shop = test.producer().await?;
    let first = kid(&test.ada)?;

    // A rotation: what the first key has signed goes on, and so does what the second signs.
    change(
        &test,
        &admin(&test).await?,
        "rotate",
        &json!({"at_once": true}),
    )
    .await?;
    let by_second = login_by_another(&test, &first).await?;
    let second = kid(&by_second)?;
    for token in [test.ada.clone(), by_second.clone()] {
        let (status, body) = pays(&test, &token).await?;
        ensure!(
            status == 202 && body["status"] == "settled",
            "{status} {body}"
        );
    }

    // The second is revoked while the ledger is away and auth is killed: nothing of it is lost or half done.
    let revoker = admin(&test).await?;
    test.shop = test.client_token(SHOP, "quittance-log").await?;
    ensure!(kid(&test.shop)? == second);
    let before = payment(test.adas, test.graces, "1.00");
    let before = test
        .publish(&shop, test.headers(&before), before.to_string())
        .await?;
    ensure!(test.settlement(before).await?.reason.is_none());
    test.bank.stop_part(Part::Ledger);
    change(&test, &revoker, &format!("{second}/revoke"), &json!({})).await?;
    test.bank.kill(Part::Auth);
    test.bank.start_part(Part::Ledger).await?;
    test.bank.start_part(Part::Auth).await?;
    let by_third = login_by_another(&test, &second).await?;
    let refused_over_http = async || -> Result<bool> {
        let (status, body) = pays(&test, &by_second).await?;
        let detail = body["detail"].as_str().unwrap_or_default();
        Ok(status == 401 && detail.starts_with("revoked"))
    };
    let started = Instant::now();
    while !refused_over_http().await? {
        ensure!(started.elapsed() < PATIENCE, "payments never hears of it");
    }
    let after = payment(test.adas, test.graces, "1.00");
    let published = test
        .publish(&shop, test.headers(&after), after.to_string())
        .await;
    // payments refuses it at the door, or the ledger in the log.
    if let Ok(after) = published {
        let reason = test
            .settlement(after)
            .await?
            .reason
            .context("a rejection")?;
        ensure!(reason.message.starts_with("revoked"), "{reason:?}");
    }
    for token in [test.ada.clone(), by_third] {
        let (status, body) = pays(&test, &token).await?;
        ensure!(
            status == 202 && body["status"] == "settled",
            "{status} {body}"
        );
    }
    test.check_invariants().await?;
    Ok(())
}
