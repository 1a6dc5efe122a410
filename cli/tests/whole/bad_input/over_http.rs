//! Over HTTP: every mistake is answered with a problem document and the right status.

use anyhow::{Context as _, Result, ensure};
use local::Service;
use serde_json::{Value, json};
use uuid::Uuid;

use super::payments::{good, with};
use crate::bank::{TestBank, payment};

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one row per mistake")]
async fn over_http_it_is_a_problem_document() -> Result<()> {
    let test = TestBank::start().await?;
    let url = format!("{}/payments", test.bank.url(Service::Payments));
    let good = || good(&test);
    let with = |name: &str, value: Value| with(&test, name, value);
    let json_post = || {
        test.http
            .post(&url)
            .header("Content-Type", "application/json")
    };
    let as_ada = || json_post().bearer_auth(&test.ada);
    let tampered = format!("{}x", test.ada);
    let waited = |payment: Value| {
        as_ada()
            .header("Prefer", "wait=20")
            .body(payment.to_string())
    };
    let amount = |text: &str| as_ada().body(with("amount", json!(text)).to_string());
    let used = good();
    ensure!(as_ada().body(used.to_string()).send().await?.status() == 202);
    let mut reused = used.clone();
    reused["amount"] = json!("2.00");
    let accounts = format!("{}/accounts", test.bank.url(Service::Ledger));
    for (what, request, status, code) in [
        ("no token", json_post().body(good().to_string()), 401, None),
        (
            "damaged token",
            json_post().bearer_auth(&tampered).body(good().to_string()),
            401,
            None,
        ),
        (
            "two tokens",
            as_ada()
                .header("Authorization", "Bearer x")
                .body(good().to_string()),
            400,
            None,
        ),
        ("garbage", as_ada().body("garbage"), 400, Some("FF01")),
        (
            "unknown field",
            as_ada().body(with("x", json!(1)).to_string()),
            400,
            Some("FF01"),
        ),
        (
            "no JSON",
            test.http.post(&url).bearer_auth(&test.ada).body("x"),
            415,
            None,
        ),
        ("1 MB", as_ada().body("x".repeat(1_000_000)), 413, None),
        ("too many decimals", amount("1.001"), 422, Some("AM12")),
        ("zero", amount("0"), 422, Some("AM12")),
        ("negative", amount("-1"), 422, Some("AM12")),
        (
            "unknown currency",
            as_ada().body(with("currency", json!("XXZ")).to_string()),
            422,
            Some("AM03"),
        ),
        (
            "one account",
            as_ada().body(with("creditor_account", json!(test.adas)).to_string()),
            422,
            Some("NARR"),
        ),
        (
            "another currency",
            waited(with("currency", json!("USD"))),
            422,
            Some("AM03"),
        ),
        (
            "insufficient funds",
            waited(with("amount", json!("1000000"))),
            422,
            Some("AM04"),
        ),
        (
            "unknown debtor",
            waited(with("debtor_account", json!(Uuid::now_v7()))),
            422,
            Some("AC02"),
        ),
        (
            "unknown creditor",
            waited(with("creditor_account", json!(Uuid::now_v7()))),
            422,
            Some("AC03"),
        ),
        (
            "not one's own",
            waited(payment(test.graces, test.adas, "1.00")),
            403,
            Some("AG01"),
        ),
        (
            "the id of another payment",
            as_ada().body(reused.to_string()),
            409,
            Some("AM05"),
        ),
        (
            "unknown payment",
            test.http
                .get(format!("{url}/{}", Uuid::now_v7()))
                .bearer_auth(&test.ada),
            404,
            None,
        ),
        (
            "no payment id",
            test.http.get(format!("{url}/x")).bearer_auth(&test.ada),
            400,
            None,
        ),
        (
            "unknown path",
            test.http.get(format!("{url}/x/y")).bearer_auth(&test.ada),
            404,
            None,
        ),
        (
            "other method",
            test.http.delete(&url).bearer_auth(&test.ada),
            405,
            None,
        ),
        (
            "accounts without a token",
            test.http.get(&accounts),
            401,
            None,
        ),
        (
            "somebody's account",
            test.http
                .get(format!("{accounts}/{}", test.graces))
                .bearer_auth(&test.ada),
            404,
            None,
        ),
        (
            "a NUL in a filter",
            test.http
                .get(format!("{accounts}?owner=%00"))
                .bearer_auth(&test.staff),
            400,
            None,
        ),
        (
            "a NUL in another filter",
            test.http
                .get(format!("{url}?client_id=%00"))
                .bearer_auth(&test.staff),
            400,
            None,
        ),
        (
            "a limit that is none",
            test.http
                .get(format!("{accounts}?limit=0"))
                .bearer_auth(&test.ada),
            400,
            None,
        ),
        (
            "opening without the scope",
            test.http
                .post(&accounts)
                .bearer_auth(&test.ada)
                .json(&json!({"currency": "EUR"})),
            403,
            None,
        ),
        (
            "account in no currency",
            test.http
                .post(&accounts)
                .bearer_auth(&test.staff)
                .json(&json!({"currency": "XXZ"})),
            422,
            Some("AM03"),
        ),
        (
            "account of no shape",
            test.http
                .post(&accounts)
                .bearer_auth(&test.staff)
                .json(&json!({"curency": "EUR"})),
            400,
            None,
        ),
    ] {
        let answer = request.send().await?;
        let got = answer.status().as_u16();
        let kind = answer
            .headers()
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let body: Value = answer
            .json()
            .await
            .with_context(|| format!("{what}: no JSON"))?;
        ensure!(
            got == status && kind == "application/problem+json",
            "{what}: {got} {kind} {body}"
        );
        ensure!(
            body["status"] == status && body["reason"]["code"] == json!(code),
            "{what}: {body}"
        );
        ensure!(
            body["detail"]
                .as_str()
                .is_some_and(|detail| !detail.is_empty()),
            "{what}: {body}"
        );
    }
    // The same again is no error: the first outcome is repeated.
    let (status, body) = test.pay(&test.ada, used, Some(20)).await?;
    ensure!(
        status == 202 && body["status"] == "settled",
        "{status} {body}"
    );
    test.check_invariants().await?;
    Ok(())
}
