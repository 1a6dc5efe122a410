//! Proof: the log in a file replays without a bank and names whatever was changed, in the file or in the books.

mod forgeries;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use ledger::audit::log_file::{LogFileReader, LogFileWriter};
use ledger::audit::{Verdict, Verified, export, replay_file, verify};
use local::{Part, Service};
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;
use uuid::Uuid;

use crate::bank::{PATIENCE, TestBank, payment};
use crate::by_hand::change_by_hand;
use forgeries::{forged_answers, forged_controls, forged_postings};

/// A bank with some history: settled, rejected and duplicate payments.
async fn bank_with_history() -> Result<TestBank> {
    let test = TestBank::start().await?;
    for amount in ["30.00", "5000.00", "1.25"] {
        let mut asked = payment(test.adas, test.graces, amount);
        asked["metadata"] = json!({"note": "of Ada's own"});
        for _ in 0..2 {
            test.pay(&test.ada, asked.clone(), Some(20)).await?;
        }
    }
    Ok(test)
}

async fn exported(test: &TestBank, directory: &TempDir) -> Result<PathBuf> {
    let path = directory.path().join("log");
    let mut seen = (0, 0);
    let auditor = test.config("audit");
    let exporting = export(&auditor, &path, |at, of| seen = (at, of));
    let exported = tokio::time::timeout(PATIENCE, exporting).await??;
    ensure!(
        exported.requests >= exported.answers && seen == (exported.requests, exported.requests),
        "{exported:?} {seen:?}"
    );
    Ok(path)
}

async fn replayed(path: &Path, database: Option<&mut PgConnection>) -> Result<Verdict> {
    let replaying = replay_file(path.to_owned(), database, |_, _| {});
    Ok(tokio::time::timeout(PATIENCE, replaying).await??)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_in_a_file_replays_without_a_bank_and_with_its_books() -> Result<()> {
    let mut test = bank_with_history().await?;
    let directory = tempfile::tempdir()?;
    let path = exported(&test, &directory).await?;
    let from_streams = test.check_invariants().await?;
    let mut database = PgConnection::connect(&test.bank.servers().audit_database_url()).await?;
    let Verdict::Agrees(with_books) = replayed(&path, Some(&mut database)).await? else {
        anyhow::bail!("the file does not lead to the books")
    };
    ensure!(
        with_books == from_streams,
        "{with_books:?} {from_streams:?}"
    );
    // The bank goes on: its books are compared as far as the file goes.
    test.pay(&test.ada, payment(test.adas, test.graces, "2.00"), Some(20))
        .await?;
    let Verdict::Agrees(older) = replayed(&path, Some(&mut database)).await? else {
        anyhow::bail!("a database that is ahead differs")
    };
    ensure!(
        !older.compared.books && older.compared.rows == from_streams.requests,
        "{older:?}"
    );
    test.bank.stop_part(Part::Ledger);
    let Verdict::Agrees(alone) = replayed(&path, None).await? else {
        anyhow::bail!("the file does not lead to its own answers")
    };
    ensure!(
        alone.chain == from_streams.chain
            && alone.settled == from_streams.settled
            && alone.compared.rows == 0,
        "{alone:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_or_answer_changed_in_the_file_is_named() -> Result<()> {
    let test = bank_with_history().await?;
    let directory = tempfile::tempdir()?;
    let path = exported(&test, &directory).await?;
    // Digests that fit what was changed, as only somebody makes them who knows the format.
    let forged = |of_answer: bool, from: &str, to: &str| -> Result<(PathBuf, u64)> {
        let mut file = LogFileReader::open(&path)?;
        let forged = directory.path().join("forged");
        let mut copy = LogFileWriter::create(&forged, file.head())?;
        let mut changed = None;
        while let Some(mut portion) = file.portion()? {
            let messages = if of_answer {
                &mut portion.answers
            } else {
                &mut portion.requests
            };
            for message in messages {
                let body = String::from_utf8_lossy(&message.payload).into_owned();
                if changed.is_none() && body.contains(from) {
                    message.payload = body.replace(from, to).into();
                    changed = Some(message.sequence);
                }
            }
            for (index, request) in portion.requests.iter().enumerate() {
                copy.add(request, portion.answers.get(index))?;
            }
        }
        copy.finish()?;
        Ok((forged, changed.context("nothing to change")?))
    };
    for (of_answer, from, to) in [
        (false, "\"30.00\"", "\"31.00\""),
        (false, "of Ada's own", "of Eve's own"),
        (true, "\"30.00\"", "\"31.00\""),
        (true, "AM04", "AC04"),
    ] {
        let (path, seq) = forged(of_answer, from, to)?;
        let Verdict::Differs(difference) = replayed(&path, None).await? else {
            anyhow::bail!("not seen: {to}")
        };
        ensure!(
            difference.contains(&format!("of answer {seq} is"))
                && difference.ends_with("in the file"),
            "{to}: {difference}"
        );
    }
    Ok(())
}

/// Whatever a bank has done: a verification finds no fault, and its log in a file leads to the same answers.
pub(crate) async fn holds_together_and_replays_from_a_file(test: &TestBank) -> Result<()> {
    // The tree of receipts has all of it too.
    let (status, body) = test
        .get(Service::Ledger, "/checkpoint?fresh=true", &test.staff)
        .await?;
    ensure!(
        status == 200 && body["tree"]["size"] == body["seq"],
        "{body}"
    );
    let found = verified(test).await?;
    ensure!(matches!(found, Verified::Sound(_)), "{found:?}");
    let directory = tempfile::tempdir()?;
    let path = exported(test, &directory).await?;
    let replayed = replayed(&path, None).await?;
    ensure!(matches!(replayed, Verdict::Agrees(_)), "{replayed:?}");
    Ok(())
}

async fn verified(test: &TestBank) -> Result<Verified> {
    let mut database = PgConnection::connect(&test.bank.servers().audit_database_url()).await?;
    let auditor = test.config("audit");
    let verifying = verify(Some(&auditor), &mut database, |_, _, _| {});
    Ok(tokio::time::timeout(PATIENCE, verifying).await??)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verification_names_whatever_was_changed_by_hand() -> Result<()> {
    let mut test = bank_with_history().await?;
    let reversal = reverse_and_control(&test).await?;
    let (_, paid) = test
        .pay(&test.ada, payment(test.adas, test.graces, "7.00"), Some(20))
        .await?;
    let seq = paid["request_seq"].as_u64().context("no sequence")?;
    let whole = reverse_whole(&test).await?;
    let requests = test.check_invariants().await?.requests;
    let Verified::Sound(sound) = verified(&test).await? else {
        anyhow::bail!("sound books have a fault")
    };
    ensure!(
        sound.answers == requests
            && sound.published == requests
            && sound.accounts == 3
            && sound.postings == 20
            && sound.sums["EUR"] == "0",
        "{sound:?}"
    );
    // The tree is all there, and nothing is added to it meanwhile.
    let (status, body) = test
        .get(Service::Ledger, "/checkpoint?fresh=true", &test.staff)
        .await?;
    ensure!(status == 200 && body["tree"]["size"] == requests, "{body}");
    test.bank.stop_part(Part::Ledger);
    let superuser = test.bank.servers().superuser_database_url(Service::Ledger);
    let mut database = PgConnection::connect(&superuser).await?;
    let twice = format!(
        "insert into reversal (request_seq, original_seq) select 1000000, original_seq from reversal where request_seq = {whole}"
    );
    let refused = change_by_hand(&mut database, &twice).await;
    let refused = refused.err().context("a transaction is reversed twice")?;
    ensure!(
        refused.to_string().contains("reversal_of_transaction_once"),
        "{refused}"
    );
    let mut forgeries = forged_answers(seq, requests);
    forgeries.extend(forged_postings(seq, test.graces));
    forgeries.extend(forged_controls([reversal, whole], test.graces, test.adas));
    for (forgery, undone, expected) in forgeries {
        change_by_hand(&mut database, &forgery).await?;
        let found = match verified(&test).await? {
            Verified::Fault(fault) => fault,
            Verified::Sound(_) => anyhow::bail!("not seen: {forgery}"),
        };
        ensure!(found.contains(&expected), "{forgery}: {found}");
        change_by_hand(&mut database, &undone).await?;
        let again = verified(&test).await?;
        ensure!(
            matches!(again, Verified::Sound(_)),
            "put back, but: {forgery}: {again:?}"
        );
    }
    Ok(())
}

/// Reverses a part of a payment, freezes Grace's debits and limits Ada. Returns the sequence of the reversal.
async fn reverse_and_control(test: &TestBank) -> Result<u64> {
    let paid = payment(test.adas, test.graces, "4.00");
    let id = paid["payment_id"].as_str().context("an id")?.to_owned();
    test.pay(&test.staff, paid, Some(20)).await?;
    let path = format!("/payments/{id}/reverse");
    let part = json!({"payment_id": Uuid::now_v7(), "amount": "1.50"});
    let (status, reversed) = test
        .post(Service::Payments, &path, &test.staff, &part, Some(20))
        .await?;
    ensure!(reversed["status"] == "reversed", "{status} {reversed}");
    let path = format!("/accounts/{}/freeze", test.graces);
    let side = json!({"side": "debit"});
    let (status, body) = test
        .post(Service::Ledger, &path, &test.staff, &side, Some(20))
        .await?;
    ensure!(status == 200, "{status} {body}");
    let limits = format!(
        "{}/accounts/{}/limits",
        test.bank.url(Service::Ledger),
        test.adas
    );
    let limited = test.http.put(limits).bearer_auth(&test.staff);
    let limited = limited.json(&json!({"overdraft_limit": "10", "day_amount_max": "500"}));
    let limited = limited.send().await?;
    ensure!(limited.status() == 200, "{limited:?}");
    reversed["request_seq"].as_u64().context("no sequence")
}

/// Books a transaction and reverses it. Returns the sequence of the reversal.
async fn reverse_whole(test: &TestBank) -> Result<u64> {
    let id = test.deposit_in_two().await?;
    let path = format!("/payments/{id}/reverse");
    let part = json!({"payment_id": Uuid::now_v7(), "amount": "1.00"});
    let (_, refused) = test
        .post(Service::Payments, &path, &test.staff, &part, Some(20))
        .await?;
    ensure!(refused["reason"]["code"] == "AM12", "{refused}");
    let whole = json!({"payment_id": Uuid::now_v7(), "reason": "Posted twice"});
    let (status, reversed) = test
        .post(Service::Payments, &path, &test.staff, &whole, Some(20))
        .await?;
    ensure!(reversed["status"] == "reversed", "{status} {reversed}");
    let path = format!("/payments/{id}");
    let (_, shown) = test.get(Service::Payments, &path, &test.staff).await?;
    ensure!(
        shown["status"] == "reversed" && shown["kind"] == "transaction",
        "{shown}"
    );
    let path = format!("/payments/{id}/follow-ups");
    let (_, followed) = test.get(Service::Payments, &path, &test.staff).await?;
    let followed = followed["payments"].as_array().context("a list")?;
    ensure!(
        followed.len() == 1 && followed[0]["payment_id"] == whole["payment_id"],
        "{followed:?}"
    );
    reversed["request_seq"].as_u64().context("no sequence")
}
