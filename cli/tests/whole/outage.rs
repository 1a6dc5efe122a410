//! What a caller is told while something is down, so that doing it again does it once.

use anyhow::{Context as _, Result, ensure};
use local::{Part, Service};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::bank::{PATIENCE, TestBank};

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_may_have_been_opened_is_opened_once_when_asked_for_again() -> Result<()> {
    let mut test = TestBank::start().await?;
    let mut account = json!({"owner": "eve", "currency": "EUR"});
    test.bank.kill(Part::Nats);
    let (status, problem) = open(&test, &account).await?;
    ensure!(
        status == StatusCode::SERVICE_UNAVAILABLE,
        "{status} {problem}"
    );
    // We chose no id; the ledger did, and tells it.
    account["account_id"] = problem["account_id"].clone();
    let id = account["account_id"].as_str();
    let id = id.with_context(|| format!("no id: {problem}"))?;

    test.bank.start_part(Part::Nats).await?;
    // Its client reconnects by itself, and what it held back may come first.
    let again = async {
        loop {
            match open(&test, &account).await? {
                (StatusCode::SERVICE_UNAVAILABLE, _) => {}
                answered => return anyhow::Ok(answered),
            }
        }
    };
    let (status, opened) = tokio::time::timeout(PATIENCE, again).await??;
    ensure!(status.is_success(), "{status} {opened}");
    ensure!(opened["account_id"] == id, "{opened}");
    let (_, list) = test
        .get(Service::Ledger, "/accounts?owner=eve", &test.staff)
        .await?;
    let count = list["accounts"].as_array().map(Vec::len);
    ensure!(count == Some(1), "{list}");
    test.check_invariants().await.map(drop)
}

async fn open(test: &TestBank, account: &Value) -> Result<(StatusCode, Value)> {
    let url = format!("{}/accounts", test.bank.url(Service::Ledger));
    let request = test.http.post(url).bearer_auth(&test.staff).json(account);
    let response = request.send().await?;
    Ok((response.status(), response.json().await?))
}
