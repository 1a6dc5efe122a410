//! The bank's own accounts are there from the start, once, whoever leads.

use anyhow::{Context as _, Result, ensure};
use common::broker::{self, Publisher};
use common::headers::HeaderLines;
use common::kinds::chart::{OpenBankAccount, Purpose, REQUESTED, SUBJECT};
use common::message::{Outgoing, add_event_headers};
use common::money::Currency;
use common::wire;
use local::{Part, Service};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::bank::TestBank;

const CURRENCIES: (&str, &str) = ("QUITTANCE_CURRENCIES", "EUR,JPY");

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_has_its_own_accounts_in_each_currency_once() -> Result<()> {
    let mut test = TestBank::start_with(&[CURRENCIES]).await?;
    // What the tests opened stands behind the ledger's own requests, so those are answered.
    for (currency, fees, rounding) in [("EUR", "0.00", "1000.00"), ("JPY", "0", "1000")] {
        for purpose in Purpose::ALL {
            let account = bank_account(purpose, currency)?;
            let path = format!("/accounts/{}", account.account_id);
            let (status, shown) = test.get(Service::Ledger, &path, &test.staff).await?;
            ensure!(status == 200, "{purpose:?} {currency}: {status} {shown}");
            let limit = if purpose == Purpose::Rounding {
                rounding
            } else {
                fees
            };
            ensure!(
                shown["owner"] == "bank"
                    && shown["name"] == purpose.name()
                    && shown["category"] == purpose.category().as_str()
                    && shown["overdraft_limit"] == limit,
                "{shown}"
            );
        }
    }
    let before = broker::last_sequence(&test.audit().await?, wire::REQUESTS).await?;
    test.bank.stop_part(Part::Ledger);
    test.bank.start_part(Part::Ledger).await?;
    ensure!(deposit(&test, "10.00").await? == "settled");
    let after = broker::last_sequence(&test.audit().await?, wire::REQUESTS).await?;
    ensure!(after == before + 2, "{after} after {before}: asked again");

    // What a second ledger asks at the same moment opens nothing; what does not fit is refused.
    let again = ask(&test, &bank_account(Purpose::Cash, "EUR")?).await?;
    ensure!(again["status"] == "duplicate", "{again}");
    let strange = OpenBankAccount {
        purpose: Purpose::Fees,
        ..bank_account(Purpose::Cash, "EUR")?
    };
    let strange = ask(&test, &strange).await?;
    ensure!(strange["reason"]["code"] == "FF01", "{strange}");
    test.check_invariants().await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_is_booked_with_its_rate_and_its_rounding() -> Result<()> {
    let test = TestBank::start_with(&[CURRENCIES]).await?;
    let of_bank =
        |purpose, currency| Ok::<_, anyhow::Error>(bank_account(purpose, currency)?.account_id.0);
    let (nostro, nostro_yen) = (
        of_bank(Purpose::Nostro, "EUR")?,
        of_bank(Purpose::Nostro, "JPY")?,
    );
    let rounding = of_bank(Purpose::Rounding, "JPY")?;
    let yen = Uuid::now_v7();
    let owner = test.account(test.adas).await?["owner"].clone();
    test.open(
        json!({"account_id": yen, "owner": owner, "currency": "JPY", "category": "liability"}),
    )
    .await?;
    let arrives = crate::bank::payment(nostro, test.adas, "50.00");
    test.pay(&test.staff, arrives, Some(20)).await?;

    // 10 euros are 1623.55 yen: the market gives 1624, Ada gets 1623, and the bank wins one.
    let posting = |account: Uuid, direction: &str, amount: &str, currency: &str| json!({"account": account, "direction": direction, "amount": amount, "currency": currency});
    let rates = json!([{"from": "EUR", "to": "JPY", "rate": "162.355"}]);
    let exchange = |given: &str| {
        json!({
            "payment_id": Uuid::now_v7(), "rates": rates, "reference": "Yen for the journey",
            "postings": [
                posting(test.adas, "debit", "10.00", "EUR"), posting(nostro, "credit", "10.00", "EUR"),
                posting(nostro_yen, "debit", "1624", "JPY"), posting(yen, "credit", given, "JPY"),
                posting(rounding, "credit", "1", "JPY"),
            ],
        })
    };
    let ask = async |given| {
        let (asked, staff) = (exchange(given), &test.staff);
        test.post(Service::Payments, "/transactions", staff, &asked, Some(20))
            .await
    };
    let (status, unbalanced) = ask("1624").await?;
    ensure!(
        status == 422 && unbalanced["reason"]["code"] == "NARR",
        "{status} {unbalanced}"
    );
    let (_, exchanged) = ask("1623").await?;
    ensure!(exchanged["status"] == "settled", "{exchanged}");
    let seq = exchanged["request_seq"].as_u64().context("no sequence")?;
    let (_, answer) = test
        .get(
            Service::Ledger,
            &format!("/transactions/{seq}"),
            &test.staff,
        )
        .await?;
    ensure!(
        answer["rates"] == rates && answer["postings"].as_array().map(Vec::len) == Some(5),
        "{answer}"
    );
    for (account, posted) in [
        (test.adas, "1040.00"),
        (nostro, "40.00"),
        (nostro_yen, "1624"),
        (yen, "1623"),
        (rounding, "-1"),
    ] {
        let found = test.posted(account).await?;
        ensure!(found == posted, "{account}: {found}");
    }
    test.check_invariants().await?;
    crate::proof::holds_together_and_replays_from_a_file(&test).await
}

fn bank_account(purpose: Purpose, currency: &str) -> Result<OpenBankAccount> {
    let currency = Currency::from_code(currency).context("a currency")?;
    Ok(OpenBankAccount::of(purpose, currency))
}

/// A deposit for Ada out of the bank's cash.
async fn deposit(test: &TestBank, amount: &str) -> Result<String> {
    let cash = bank_account(Purpose::Cash, "EUR")?.account_id;
    let payment = crate::bank::payment(cash.0, test.adas, amount);
    let (_, as_ada) = test.pay(&test.ada, payment.clone(), Some(20)).await?;
    ensure!(as_ada["reason"]["code"] == "AG01", "{as_ada}");
    let mut payment = payment;
    payment["payment_id"] = json!(Uuid::now_v7());
    let (_, settled) = test.pay(&test.staff, payment, Some(20)).await?;
    Ok(settled["status"].as_str().unwrap_or_default().to_owned())
}

/// Asks as a ledger would.
async fn ask(test: &TestBank, account: &OpenBankAccount) -> Result<Value> {
    let mut headers = HeaderLines::default();
    add_event_headers(&mut headers, REQUESTED, account.account_id, "/ledger");
    let message = Outgoing {
        subject: SUBJECT.to_owned(),
        headers,
        payload: serde_json::to_vec(account)?.into(),
    };
    let ledger = Publisher::new(&test.config("ledger"));
    let seq = ledger.publish_one(wire::REQUESTS, message).await?.sequence;
    Ok(serde_json::from_slice(&test.answer(seq).await?.payload)?)
}
