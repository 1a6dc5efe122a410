//! Accounts have owners who exist.

use anyhow::{Context as _, Result, ensure};
use local::{Part, Service};
use serde_json::{Value, json};

use crate::bank::{SHOP, TestBank};

async fn opened(test: &TestBank, owner: &str) -> Result<(u16, Value)> {
    let body = json!({"owner": owner, "currency": "EUR"});
    test.post(Service::Ledger, "/accounts", &test.staff, &body, None)
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_is_somebody_and_has_one_spelling() -> Result<()> {
    let mut test = TestBank::start().await?;
    let account = format!("/accounts/{}", test.adas);
    let (_, adas) = test.get(Service::Ledger, &account, &test.staff).await?;
    let ada = adas["owner"].as_str().context("an owner")?.to_owned();
    for (owner, expected) in [
        (&*ada, Some(&*ada)),
        (&*ada.to_uppercase(), Some(&*ada)),
        (&*ada.replace('-', ""), Some(&*ada)),
        (SHOP, Some(SHOP)),
        ("bank", Some("bank")),
        ("nobody", None),
        ("SHOP", None),
        ("01900000-ada0-7000-8000-00000000dead", None),
        ("", None),
        ("..", None),
        ("../keys", None),
        ("a/b?c#d", None),
        ("ä%00", None),
        (&*"x".repeat(2000), None),
    ] {
        let (status, body) = opened(&test, owner).await?;
        match expected {
            Some(expected) => ensure!(
                status == 201 && body["owner"] == expected,
                "{owner}: {status} {body}"
            ),
            None => ensure!(status == 422, "{owner}: {status} {body}"),
        }
    }

    // While auth is away the bank's own accounts are opened, and the others later.
    test.bank.kill(Part::Auth);
    let (status, body) = opened(&test, "bank").await?;
    ensure!(status == 201, "{status} {body}");
    let (status, body) = opened(&test, &ada).await?;
    ensure!(
        status == 503 && !body["account_id"].is_null(),
        "{status} {body}"
    );
    test.bank.start_part(Part::Auth).await?;
    let (status, body) = opened(&test, &ada).await?;
    ensure!(status == 201, "{status} {body}");
    test.check_invariants().await.map(drop)
}
