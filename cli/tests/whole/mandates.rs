//! A program pays in a customer's name: within her limits, while her mandate stands, and the books say so.

use anyhow::{Context as _, Result, ensure};
use local::Service;
use serde_json::{Value, json};

use crate::bank::{CLIENT_SECRET, SHOP, TestBank, payment};

async fn exchanged(test: &TestBank, mandate: &str) -> Result<Value> {
    let form = [
        (
            "grant_type",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ),
        ("client_id", SHOP),
        ("client_secret", CLIENT_SECRET),
        ("subject_token", mandate),
        (
            "subject_token_type",
            "urn:quittance:params:oauth:token-type:mandate",
        ),
    ];
    let url = format!("{}/oauth2/token", test.bank.url(Service::Auth));
    Ok(test.http.post(url).form(&form).send().await?.json().await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_pays_for_a_customer_within_her_mandate() -> Result<()> {
    let test = TestBank::start().await?;
    let asked = json!({"client_id": SHOP, "payment_max": {"EUR": "5.00"}, "accounts": [test.adas]});
    let (_, mandate) = test
        .post(Service::Auth, "/api/mandates", &test.ada, &asked, None)
        .await?;
    let mandate = mandate["id"].as_str().context("an id")?.to_owned();
    let token = exchanged(&test, &mandate).await?;
    let token = token["access_token"].as_str().context("a token")?;

    for (from, to, amount, expected) in [
        (test.adas, test.graces, "5.00", "settled"),
        (test.adas, test.graces, "5.01", "rejected"),
        (test.graces, test.adas, "1.00", "rejected"),
    ] {
        let (_, body) = test.pay(token, payment(from, to, amount), Some(20)).await?;
        let status = body["payment_status"].as_str().or(body["status"].as_str());
        ensure!(status == Some(expected), "{amount}: {body}");
    }
    // It is a token for payments and for nothing else.
    let account = format!("/accounts/{}", test.adas);
    let (status, body) = test.get(Service::Ledger, &account, token).await?;
    ensure!(status == 403, "{status} {body}");

    let url = format!("{}/api/mandates", test.bank.url(Service::Auth));
    let ended = test
        .http
        .delete(format!("{url}/{mandate}"))
        .bearer_auth(&test.ada);
    ensure!(ended.send().await?.status() == 204);
    let (status, body) = test
        .pay(token, payment(test.adas, test.graces, "1.00"), Some(20))
        .await?;
    // payments has heard of it, or the ledger says so.
    let detail = body["detail"].as_str().unwrap_or_default();
    ensure!(
        (status == 401 || status == 403) && detail.starts_with("revoked"),
        "{status} {body}"
    );
    ensure!(exchanged(&test, &mandate).await?["error"] == "invalid_grant");
    test.check_invariants().await?;
    Ok(())
}
