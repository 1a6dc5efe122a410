//! Batches of payments from every side, and what is kept of them.

use anyhow::{Context as _, Result, ensure};
use async_nats::HeaderMap;
use common::kinds::bulk::BatchAnswer;
use ledger::audit::{Verdict, Verified, verify};
use local::Service;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::bank::{KIOSK, SHOP, TestBank, payment};
use crate::by_hand::change_by_hand;
use crate::proof;

/// A batch of Ada's that pays Grace these amounts.
fn batch(test: &TestBank, amounts: &[&str]) -> Value {
    let pays = |amount: &&str| json!({"payment_id": Uuid::now_v7(), "creditor_account": test.graces, "amount": amount, "reference": "One of many"});
    json!({
        "batch_id": Uuid::now_v7(), "debtor_account": test.adas, "currency": "EUR",
        "payments": amounts.iter().map(pays).collect::<Vec<_>>(),
    })
}

/// `POST /payment-batches` by Ada: status and body.
async fn post(test: &TestBank, body: &Value) -> Result<(u16, Value)> {
    let service = Service::Payments;
    test.post(service, "/payment-batches", &test.ada, body, Some(20))
        .await
}

fn counts(answer: &Value) -> [u64; 3] {
    ["settled", "rejected", "duplicates"].map(|name| answer[name].as_u64().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_paid_over_http_and_each_payment_is_found() -> Result<()> {
    let test = TestBank::start().await?;
    let asked = batch(&test, &["1.00", "2.00", "5000.00", "3.00"]);
    let (status, taken) = post(&test, &asked).await?;
    ensure!(
        status == 202 && taken["status"] == "answered",
        "{status} {taken}"
    );
    ensure!(counts(&taken["answer"]) == [3, 1, 0], "{taken}");
    let batch_id = asked["batch_id"].as_str().context("an id")?;
    let path = format!("/payment-batches/{batch_id}");
    let (status, shown) = test.get(Service::Payments, &path, &test.ada).await?;
    ensure!(
        status == 200 && counts(&shown) == [3, 1, 0],
        "{status} {shown}"
    );
    let third = &shown["payments"][2];
    ensure!(
        third["status"] == "rejected" && third["reason"]["code"] == "AM04",
        "{third}"
    );

    // Each payment is one like any other.
    for (asked, status) in [
        (&asked["payments"][0], "settled"),
        (&asked["payments"][2], "rejected"),
    ] {
        let id = asked["payment_id"].as_str().context("an id")?;
        let path = format!("/payments/{id}");
        let (_, found) = test.get(Service::Payments, &path, &test.ada).await?;
        ensure!(
            found["status"] == status && found["request_seq"] == shown["request_seq"],
            "{found}"
        );
        ensure!(
            found["amount"] == asked["amount"] && found["reference"] == "One of many",
            "{found}"
        );
        let path = format!("/log?payment_id={id}");
        let (_, page) = test.get(Service::Ledger, &path, &test.staff).await?;
        let entries = page["entries"].as_array().context("entries")?;
        ensure!(
            entries.len() == 1 && entries[0]["seq"] == shown["request_seq"],
            "{page}"
        );
    }
    // A list goes on within a batch.
    let mut path = "/payments?limit=3".to_owned();
    let mut listed = Vec::new();
    loop {
        let (_, page) = test.get(Service::Payments, &path, &test.ada).await?;
        let rows = page["payments"].as_array().context("a list")?;
        listed.extend(rows.iter().map(|row| row["payment_id"].clone()));
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut path),
            None => break,
        }
    }
    let asked_for = asked["payments"].as_array().context("payments")?;
    ensure!(
        listed.len() == 4
            && asked_for
                .iter()
                .all(|one| listed.contains(&one["payment_id"])),
        "{listed:?}"
    );

    sent_again(&test, &asked).await?;
    one_goes_back(&test, &asked).await?;
    test.check_invariants().await?;
    proof::holds_together_and_replays_from_a_file(&test).await?;
    Ok(())
}

/// Sent again, in a batch or alone, nothing is paid twice.
async fn sent_again(test: &TestBank, asked: &Value) -> Result<()> {
    let batch_id = asked["batch_id"].as_str().context("an id")?;
    let (_, again) = post(test, asked).await?;
    ensure!(counts(&again["answer"]) == [0, 0, 4], "{again}");
    let (_, shown) = test
        .get(
            Service::Payments,
            &format!("/payment-batches/{batch_id}"),
            &test.ada,
        )
        .await?;
    ensure!(
        counts(&shown) == [3, 1, 0],
        "the first answer stays: {shown}"
    );
    let mut alone = asked["payments"][0].clone();
    alone["debtor_account"] = json!(test.adas);
    alone["currency"] = json!("EUR");
    let (status, same) = test.pay(&test.ada, alone, Some(20)).await?;
    ensure!(
        status == 202 && same["status"] == "settled",
        "{status} {same}"
    );
    ensure!(test.posted(test.graces).await? == "1006.00");
    Ok(())
}

/// Grace's statement names each payment; one of them goes back.
async fn one_goes_back(test: &TestBank, asked: &Value) -> Result<()> {
    let path = format!("/accounts/{}/postings", test.graces);
    let (_, postings) = test.get(Service::Ledger, &path, &test.staff).await?;
    let newest = &postings["postings"][0];
    ensure!(
        newest["payment_id"] == asked["payments"][3]["payment_id"],
        "{postings}"
    );
    ensure!(
        newest["counterparty"] == json!(test.adas) && newest["reference"] == "One of many",
        "{newest}"
    );
    let paid = asked["payments"][1]["payment_id"]
        .as_str()
        .context("an id")?;
    let ada = newest["client_id"].as_str().context("a client")?;
    let reverse = format!("/payments/{paid}/reverse");
    let reversal = json!({"payment_id": Uuid::now_v7(), "client_id": ada, "amount": "0.50"});
    let (_, answer) = test
        .post(
            Service::Payments,
            &reverse,
            &test.staff,
            &reversal,
            Some(20),
        )
        .await?;
    ensure!(answer["status"] == "reversed", "{answer}");
    let (_, found) = test
        .get(Service::Payments, &format!("/payments/{paid}"), &test.ada)
        .await?;
    ensure!(found["remaining"] == "1.50", "{found}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_paid_at_the_door_and_directly() -> Result<()> {
    let test = TestBank::start().await?;
    let (kiosk, shop) = (test.kiosk().await?, test.producer().await?);
    for (client, who, token) in [(&kiosk, KIOSK, &test.kiosk), (&shop, SHOP, &test.shop)] {
        let amounts = vec!["0.10"; 1000];
        let mut headers = HeaderMap::new();
        headers.insert("Authorization", format!("Bearer {token}"));
        let body = batch(&test, &amounts).to_string();
        let subject = format!("request.payment-batch.v1.{who}");
        let ack = client
            .request_with_headers(subject, headers, body.into())
            .await?;
        let ack: Value = serde_json::from_slice(&ack.payload)?;
        let seq = ack["seq"]
            .as_u64()
            .with_context(|| format!("refused: {ack}"))?;
        let answer = test.answer(seq).await?;
        ensure!(answer.subject == format!("settlement.payment-batch.v1.{who}"));
        let answer: BatchAnswer = serde_json::from_slice(&answer.payload)?;
        ensure!(
            (answer.settled, answer.rejected) == (1000, 0),
            "{:?}",
            answer.payments[0]
        );
    }
    ensure!(test.posted(test.graces).await? == "1200.00");
    test.check_invariants().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_none_is_refused_before_it_is_stored() -> Result<()> {
    let test = TestBank::start().await?;
    let before = test.check_invariants().await?.requests;
    let kiosk = test.kiosk().await?;
    let with = |name: &str, value: Value| {
        let mut body = batch(&test, &["1.00", "2.00"]);
        body[name] = value;
        body
    };
    let mut second = batch(&test, &["1.00", "2.00"]);
    second["payments"][1]["amount"] = json!(2);
    let rows = [
        (
            with("payments", json!([])),
            "a batch has 1 to 1000 payments",
        ),
        (
            batch(&test, &vec!["0.01"; 1001]),
            "a batch has 1 to 1000 payments",
        ),
        (with("colour", json!("red")), "not what schemas/ describes"),
        (with("batch_id", json!("x")), "not what schemas/ describes"),
        (
            with("currency", Value::Null),
            "payment 1: neither the payment nor the batch has a currency",
        ),
        (
            second,
            "payment 2: the payment is not what schemas/ describes",
        ),
    ];
    for (body, sentence) in rows {
        let (status, problem) = post(&test, &body).await?;
        let detail = problem["detail"].as_str().unwrap_or_default();
        ensure!(
            status == 400 && detail.contains(sentence),
            "{status} {problem}"
        );
        let mut headers = HeaderMap::new();
        headers.insert("Authorization", format!("Bearer {}", test.kiosk));
        let subject = format!("request.payment-batch.v1.{KIOSK}");
        let ack = kiosk
            .request_with_headers(subject, headers, body.to_string().into())
            .await?;
        let ack: Value = serde_json::from_slice(&ack.payload)?;
        ensure!(ack["error"]["code"] == 400, "{ack}");
    }
    let too_long = with("currency", json!("E".repeat(512 * 1024)));
    let (status, _) = post(&test, &too_long).await?;
    ensure!(status == 413, "{status}");
    ensure!(
        test.check_invariants().await?.requests == before,
        "something was stored"
    );

    // Over HTTP a mistake that needs no books is told at once; at the door each payment gets its outcome.
    let mut strange = batch(&test, &["1.001", "1.00", "1.00", "1.00"]);
    strange["payments"][1]["currency"] = json!("XXZ");
    strange["payments"][2]["effective_date"] = json!("2999-01-01");
    let (status, problem) = post(&test, &strange).await?;
    ensure!(
        status == 422 && problem["reason"]["code"] == "AM12",
        "{status} {problem}"
    );
    let mut headers = HeaderMap::new();
    headers.insert("Authorization", format!("Bearer {}", test.kiosk));
    let subject = format!("request.payment-batch.v1.{KIOSK}");
    let ack = kiosk
        .request_with_headers(subject, headers, strange.to_string().into())
        .await?;
    let ack: Value = serde_json::from_slice(&ack.payload)?;
    let seq = ack["seq"].as_u64().with_context(|| format!("{ack}"))?;
    let answer: BatchAnswer = serde_json::from_slice(&test.answer(seq).await?.payload)?;
    let outcomes = answer.payments.iter().map(|item| {
        let code = item.reason.as_ref().map(|reason| reason.code.as_str());
        code.unwrap_or(item.status.as_str())
    });
    let outcomes: Vec<&str> = outcomes.collect();
    ensure!(
        outcomes == ["AM12", "AM03", "DT01", "settled"],
        "{outcomes:?}"
    );
    // Another's batch is the bank's to see, and nobody else's.
    let (_, paid) = post(&test, &batch(&test, &["1.00"])).await?;
    let path = format!(
        "/payment-batches/{}",
        paid["batch_id"].as_str().context("an id")?
    );
    let grace = test.login("grace@bank.test", "grace-password").await?;
    for (token, expected) in [(&grace, 404), (&test.staff, 200), (&test.ada, 200)] {
        let (status, _) = test.get(Service::Payments, &path, token).await?;
        ensure!(status == expected, "{status}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_of_a_batch_by_hand_is_named() -> Result<()> {
    let test = TestBank::start().await?;
    let (_, taken) = post(&test, &batch(&test, &["1.00", "2.00", "2000.00"])).await?;
    let (_, alone) = test
        .pay(&test.ada, payment(test.adas, test.graces, "3.00"), Some(20))
        .await?;
    ensure!(alone["status"] == "settled", "{alone}");
    let seq = taken["request_seq"].as_u64().context("no sequence")?;
    test.check_invariants().await?;
    let superuser = test.bank.servers().superuser_database_url(Service::Ledger);
    let mut database = PgConnection::connect(&superuser).await?;
    let of = format!("where request_seq = {seq} and item = 1");
    // The change, how it is undone, and whether a verification, which has no requests, can tell it too.
    let rows = [
        (
            format!(
                "create temporary table gone as select * from batch_payment {of}; delete from batch_payment {of}"
            ),
            "insert into batch_payment select * from gone".to_owned(),
            true,
        ),
        (
            format!("update batch_payment set status = 'rejected' {of}"),
            format!("update batch_payment set status = 'settled' {of}"),
            true,
        ),
        (
            format!("update batch_payment set content = sha256(content) {of}"),
            String::new(),
            false,
        ),
        (
            format!("update posting set item = 0 {of}"),
            format!("update posting set item = 1 where request_seq = {seq} and abs(amount) = 2"),
            false,
        ),
    ];
    for (forgery, undone, verified) in rows {
        let forge = format!(
            "create temporary table if not exists kept as select * from batch_payment; {forgery}"
        );
        change_by_hand(&mut database, &forge).await?;
        let found = match test.replay().await? {
            Verdict::Differs(difference) => difference,
            Verdict::Agrees(_) => anyhow::bail!("not seen: {forgery}"),
        };
        ensure!(
            found.contains(&format!("batch {seq}")) || found.contains(&format!("request {seq}")),
            "{forgery}: {found}"
        );
        if verified {
            let mut auditor =
                PgConnection::connect(&test.bank.servers().audit_database_url()).await?;
            let verdict = verify(Some(&test.config("audit")), &mut auditor, |_, _, _| {}).await?;
            ensure!(
                matches!(&verdict, Verified::Fault(fault) if fault.contains(&format!("batch {seq}"))),
                "{forgery}: {verdict:?}"
            );
        }
        let restored = "update batch_payment set content = kept.content from kept where kept.payment_id = batch_payment.payment_id";
        change_by_hand(&mut database, &format!("{restored}; {undone}")).await?;
        ensure!(
            matches!(test.replay().await?, Verdict::Agrees(_)),
            "put back, but seen: {forgery}"
        );
    }
    Ok(())
}
