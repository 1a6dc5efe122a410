//! Lines of a statement name the other account by its number too, in every form: the bank's accounts, closed ones, and
//! none where there are several others.

use anyhow::{Context as _, Result, ensure};
use local::Service;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::bank::{TestBank, payment};
use crate::statements::check_camt;

#[tokio::test(flavor = "multi_thread")]
async fn a_line_names_the_other_account_by_its_number_in_every_form() -> Result<()> {
    let test = TestBank::start().await?;
    test.settle("1.00", "Lunch", None).await?;
    let (batched, taken) = batch(&test).await?;
    ensure!(batched == 202, "{taken}");
    split(&test).await?;
    let closed = closed_account(&test).await?;

    let (cash, graces) = (
        number(&test, test.cash).await?,
        number(&test, test.graces).await?,
    );
    let closed_number = number(&test, closed).await?;
    // The deposit, a payment, one of a batch, the split among several, and twice the account that is closed.
    let others = [
        Some((test.cash, &cash)),
        Some((test.graces, &graces)),
        Some((test.graces, &graces)),
        None,
        Some((closed, &closed_number)),
        Some((closed, &closed_number)),
    ];
    let ids: Vec<_> = others.map(|other| other.map(|(id, _)| id)).into();
    let numbers: Vec<_> = others.map(|other| other.map(|(_, number)| number)).into();

    let statement = format!("/accounts/{}/statement", test.adas);
    for by in ["booked", "effective"] {
        let path = format!("{statement}?by={by}");
        let (status, page) = test.get(Service::Ledger, &path, &test.ada).await?;
        ensure!(status == 200, "{status} {page}");
        let postings = page["postings"].as_array().context("postings")?;
        ensure!(of(postings, "counterparty") == json!(ids), "{page}");
        ensure!(
            of(postings, "counterparty_number") == json!(numbers),
            "{page}"
        );

        let (_, csv) = test.file(&format!("{path}&format=csv")).await?;
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let columns = reader.headers()?;
        ensure!(
            columns.iter().next_back() == Some("counterparty_number"),
            "{csv}"
        );
        let rows: Vec<_> = reader.records().collect::<Result<_, _>>()?;
        let cells = rows
            .iter()
            .map(|row| row.iter().next_back().unwrap_or_default());
        let shown = numbers
            .iter()
            .map(|number| number.map_or("", String::as_str));
        // The opening and the closing balance have no other account.
        let expected = [""].into_iter().chain(shown).chain([""]);
        ensure!(cells.eq(expected), "{csv}");

        let (_, xml) = test.file(&format!("{path}&format=camt.053")).await?;
        check_camt(&xml)?;
        let entries = xml.split("<Ntry>").skip(1);
        ensure!(entries.clone().count() == others.len(), "{xml}");
        for (entry, other) in entries.zip(others) {
            let proxies = entry.matches("<Prxy>").count();
            ensure!(proxies == usize::from(other.is_some()), "{entry}");
            if let Some((id, number)) = other {
                let account = format!(
                    "<Id><Othr><Id>{}</Id></Othr></Id><Prxy><Tp><Prtry>ACCOUNT_NUMBER</Prtry></Tp><Id>{number}</Id></Prxy>",
                    id.simple()
                );
                ensure!(entry.contains(&account), "{entry}");
            }
        }
    }
    let path = format!("/accounts/{}/postings", test.adas);
    let (_, page) = test.get(Service::Ledger, &path, &test.ada).await?;
    let newest_first: Vec<_> = numbers.iter().rev().collect();
    let postings = page["postings"].as_array().context("postings")?;
    ensure!(
        of(postings, "counterparty_number") == json!(newest_first),
        "{page}"
    );
    test.check_invariants().await.map(drop)
}

/// Ada pays Grace in a batch, whose answer names no postings.
async fn batch(test: &TestBank) -> Result<(u16, Value)> {
    let body =
        json!({"batch_id": Uuid::now_v7(), "payments": [payment(test.adas, test.graces, "2.00")]});
    test.post(
        Service::Payments,
        "/payment-batches",
        &test.ada,
        &body,
        Some(20),
    )
    .await
}

/// Ada pays Grace and the bank in one transaction.
async fn split(test: &TestBank) -> Result<()> {
    let posting = |account: Uuid, direction: &str, amount: &str| json!({"account": account, "direction": direction, "amount": amount, "currency": "EUR"});
    let body = json!({
        "payment_id": Uuid::now_v7(),
        "postings": [
            posting(test.adas, "debit", "5.00"),
            posting(test.graces, "credit", "4.00"),
            posting(test.cash, "credit", "1.00"),
        ],
    });
    let (status, booked) = test
        .post(
            Service::Payments,
            "/transactions",
            &test.staff,
            &body,
            Some(20),
        )
        .await?;
    ensure!(status == 202 && booked["status"] == "settled", "{booked}");
    Ok(())
}

/// An account that Ada paid, that paid her back, and that is closed.
async fn closed_account(test: &TestBank) -> Result<Uuid> {
    let closed = Uuid::now_v7();
    test.open(json!({"account_id": closed, "owner": "bank", "currency": "EUR"}))
        .await?;
    for (debtor, creditor) in [(test.adas, closed), (closed, test.adas)] {
        let (_, paid) = test
            .pay(&test.staff, payment(debtor, creditor, "3.00"), Some(20))
            .await?;
        ensure!(paid["status"] == "settled", "{paid}");
    }
    let path = format!("/accounts/{closed}/close");
    let (status, body) = test
        .post(Service::Ledger, &path, &test.staff, &json!({}), Some(20))
        .await?;
    ensure!(status == 200, "{status} {body}");
    let shown = test.account(closed).await?;
    ensure!(shown["status"] == "closed", "{shown}");
    Ok(closed)
}

async fn number(test: &TestBank, account: Uuid) -> Result<String> {
    let shown = test.account(account).await?;
    let number = shown["account_number"].as_str();
    Ok(number.context("a number")?.to_owned())
}

/// One member of each.
fn of(postings: &[Value], member: &str) -> Value {
    postings
        .iter()
        .map(|posting| posting[member].clone())
        .collect()
}
