//! One payment, walked through: each row of the table of that name in ARCHITECTURE.md, seen from outside.

use anyhow::{Context as _, Result, ensure};
use common::broker;
use common::wire::{REQUESTS, SETTLEMENTS};
use futures::StreamExt as _;
use local::Service;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection, Row as _};

use crate::bank::{PATIENCE, SHOP, TestBank, payment};

#[tokio::test(flavor = "multi_thread")]
async fn one_payment_from_request_to_settlement() -> Result<()> {
    let test = TestBank::start().await?;
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    // 1, 2: the token is in hand (TestBank), the payment is taken over HTTP.
    let mut asked = payment(test.adas, test.graces, "30");
    asked["reference"] = json!("Rent for November");
    asked["metadata"] = json!({"lease": "12"});
    let url = format!("{}/payments", test.bank.url(Service::Payments));
    let request = test
        .http
        .post(&url)
        .bearer_auth(&test.ada)
        .header("traceparent", traceparent)
        .json(&asked);
    let taken = request.send().await?;
    ensure!(taken.status() == 202, "{}", taken.status());
    let id = asked["payment_id"].as_str().context("an id")?;
    let location = taken.headers()["Location"].to_str()?.to_owned();
    ensure!(location == format!("/payments/{id}"), "{location}");
    let taken: Value = taken.json().await?;
    ensure!(
        taken["payment_id"] == id && taken["status"] == "pending",
        "{taken}"
    );
    let seq = taken["request_seq"].as_u64().context("a sequence")?;

    // 3, 4: it is in the log, under the caller's own token.
    let streams = test.audit().await?;
    let request = broker::get(&streams, REQUESTS, seq)
        .await?
        .context("message N of REQUESTS")?;
    let client = request
        .subject
        .strip_prefix("request.payment.v1.")
        .context("a payment's subject")?
        .to_owned();
    ensure!(client.starts_with("user-"), "{client}");
    // Her token passes over HTTP only; what stands in the log passes nowhere else.
    let stored = request.header("Authorization").context("a token")?;
    ensure!(stored.starts_with("Bearer ") && !stored.ends_with(&*test.ada));
    ensure!(request.header("Nats-Msg-Id").is_none());
    ensure!(
        request.header("ce-type") == Some("payment.requested.v1")
            && request.header("ce-id") == Some(id)
    );

    // 5 to 10: message N of SETTLEMENTS answers it.
    let answer = test.answer(seq).await?;
    ensure!(
        answer.sequence == seq && answer.subject == format!("settlement.payment.v1.{client}"),
        "{}",
        answer.subject
    );
    ensure!(
        answer.header("ce-type") == Some("payment.settled.v1")
            && answer.header("ce-subject") == Some(id)
    );
    ensure!(
        answer.header("traceparent") == Some(traceparent)
            && answer.header("Authorization").is_none()
    );
    let published_at = answer.header("ce-time").context("a time")?;
    let settlement: Value = serde_json::from_slice(&answer.payload)?;
    let expected = json!({
        "request_seq": seq, "payment_id": id, "client_id": client, "status": "settled", "reason": null,
        "debtor_account": test.adas, "creditor_account": test.graces, "amount": "30.00", "currency": "EUR",
        "reference": "Rent for November", "effective_date": &published_at[..10], "metadata": {"lease": "12"},
        "postings": [
            {"account": test.adas, "direction": "debit", "amount": "30.00", "balance": "970.00"},
            {"account": test.graces, "direction": "credit", "amount": "30.00", "balance": null},
        ],
        "original": null, "may_retry": false, "published_at": published_at,
    });
    ensure!(
        settlement == expected,
        "{settlement:#}\nexpected\n{expected:#}"
    );

    // 9, from behind: one transaction wrote the answer, two postings, the balances and the cursor.
    let mut database =
        PgConnection::connect(&test.bank.servers().database_url(Service::Ledger)).await?;
    let row = sqlx::query(
        "select (select count(*) from posting where request_seq = $1) as postings,
                (select seq from cursor) as cursor,
                (select body from answer where request_seq = $1) as body",
    );
    let row = row
        .bind(i64::try_from(seq)?)
        .fetch_one(&mut database)
        .await?;
    ensure!(
        row.try_get::<i64, _>("postings")? == 2
            && row.try_get::<i64, _>("cursor")? == i64::try_from(seq)?
    );
    ensure!(
        row.try_get::<Vec<u8>, _>("body")? == answer.payload,
        "the table and the stream hold the same bytes"
    );

    // 11, 12: people see it.
    let (status, body) = test.get(Service::Payments, &location, &test.ada).await?;
    ensure!(
        status == 200 && body["request_seq"] == seq,
        "{status} {body}"
    );
    ensure!(
        test.posted(test.adas).await? == "970.00" && test.posted(test.graces).await? == "1030.00"
    );

    // And whoever audits gets the same books.
    test.check_invariants().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_only_speaks_nats_publishes_and_pulls_its_answer() -> Result<()> {
    let test = TestBank::start().await?;
    let client = test.producer().await?;
    let mut live = client
        .subscribe(format!("settlement.payment.v1.{SHOP}"))
        .await?;
    client.flush().await?;
    let asked = payment(test.adas, test.graces, "12.50");
    let seq = test
        .publish(&client, test.headers(&asked), asked.to_string())
        .await?;

    // Its own durable consumer, one pull, no right to anything else of JetStream's.
    // (No `request`: what comes has its own subject.)
    let inbox = client.new_inbox();
    let mut pulled = client.subscribe(inbox.clone()).await?;
    client
        .publish_with_reply(
            format!("$JS.API.CONSUMER.MSG.NEXT.SETTLEMENTS.{SHOP}"),
            inbox,
            "1".into(),
        )
        .await?;
    let pulled = tokio::time::timeout(PATIENCE, pulled.next())
        .await?
        .context("a pulled settlement")?;
    let settlement: Value = serde_json::from_slice(&pulled.payload)?;
    ensure!(
        settlement["request_seq"] == seq && settlement["status"] == "settled",
        "{settlement}"
    );
    ensure!(
        settlement["payment_id"] == asked["payment_id"],
        "{settlement}"
    );
    let heard = live.next().await.context("a live settlement")?;
    ensure!(
        heard.payload == pulled.payload,
        "the live event is the stored one"
    );

    ensure!(broker::last_sequence(&test.audit().await?, SETTLEMENTS).await? >= seq);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_is_found_in_every_spelling_that_opens_an_account() -> Result<()> {
    let test = TestBank::start().await?;
    let account = test.account(test.adas).await?;
    let owner = account["owner"].as_str().context("no owner")?;
    for spelled in [
        owner.to_uppercase(),
        owner.replace('-', ""),
        format!("%20{owner}"),
    ] {
        for token in [&test.ada, &test.staff] {
            let path = format!("/accounts?owner={spelled}");
            let (status, list) = test.get(Service::Ledger, &path, token).await?;
            let found = &list["accounts"][0]["account_id"];
            ensure!(
                status == 200 && *found == json!(test.adas),
                "{spelled}: {status} {list}"
            );
        }
    }
    Ok(())
}
