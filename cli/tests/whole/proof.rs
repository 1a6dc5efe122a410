//! Proof: the log in a file replays without a bank and names whatever was changed, in the file or in the books.

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
    let (_, paid) = test
        .pay(&test.ada, payment(test.adas, test.graces, "7.00"), Some(20))
        .await?;
    let seq = paid["request_seq"].as_u64().context("no sequence")?;
    let requests = test.check_invariants().await?.requests;
    let Verified::Sound(sound) = verified(&test).await? else {
        anyhow::bail!("sound books have a fault")
    };
    ensure!(
        sound.answers == requests
            && sound.published == requests
            && sound.accounts == 3
            && sound.postings == 10
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
    let mut forgeries = forged_answers(seq, requests);
    forgeries.extend(forged_postings(seq, test.graces));
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

/// What somebody might change in the answers and in what follows from them by hand, how it is undone, and what a
/// verification says of it.
fn forged_answers(seq: u64, last: u64) -> Vec<(String, String, String)> {
    let answer = |change: &str| format!("update answer set {change} where request_seq = {seq}");
    // With a chain that fits again, and no tree that tells: then only SETTLEMENTS knows.
    let rechained = |body: &str| {
        format!(
            "delete from checkpoint; delete from tile; update tree set size = 0;
             update answer set body = {body} where request_seq = {last};
             update answer set chain = sha256(
                 (select chain from answer where request_seq = {last} - 1) || int8send(request_seq)
                 || int8send((extract(epoch from published_at) * 1000000)::bigint) || request_digest || sha256(body)
             ) where request_seq = {last};
             update cursor set chain = (select chain from answer where request_seq = {last})"
        )
    };
    let row = |forgery: String, undone: String, expected: String| (forgery, undone, expected);
    vec![
        row(
            "update tile set hashes = sha256(hashes) || substr(hashes, 33) where level = 0".to_owned(),
            "delete from tile; update tree set size = 0; delete from checkpoint".to_owned(),
            "tile 0 of level 0 in the tree of receipts is not".to_owned(),
        ),
        row(
            format!("update tree set size = {last}; insert into checkpoint values ({last}, sha256(''), '', now())"),
            "delete from checkpoint; delete from tile; update tree set size = 0".to_owned(),
            format!("the root over the first {last} answers is"),
        ),
        row(
            answer("body = convert_to(replace(convert_from(body, 'utf8'), '7.00', '9.00'), 'utf8')"),
            answer("body = convert_to(replace(convert_from(body, 'utf8'), '9.00', '7.00'), 'utf8')"),
            format!("answer {seq} or the chain in it was changed"),
        ),
        row(
            answer("chain = sha256(chain)"),
            format!(
                "update answer set chain = sha256(
                     (select chain from answer where request_seq = {seq} - 1) || int8send(request_seq)
                     || int8send((extract(epoch from published_at) * 1000000)::bigint) || request_digest || sha256(body)
                 ) where request_seq = {seq}"
            ),
            format!("the hash chain after answer {seq} is"),
        ),
        row(
            answer("published_at = published_at + interval '1 microsecond'"),
            answer("published_at = published_at - interval '1 microsecond'"),
            format!("answer {seq} or the chain in it was changed"),
        ),
        row(
            rechained("body || ' '::bytea"),
            rechained("convert_to(rtrim(convert_from(body, 'utf8')), 'utf8')"),
            format!("the body of answer {last} is"),
        ),
        row(
            answer("client_id = client_id || 'x'"),
            answer("client_id = rtrim(client_id, 'x')"),
            format!("the client of answer {seq} is"),
        ),
        row(
            answer("event_type = 'payment.rejected.v1'"),
            answer("event_type = 'payment.settled.v1'"),
            format!("the type of answer {seq} is \"rejected\" in its column, but \"settled\""),
        ),
        row(
            "insert into answer select (jsonb_populate_record(answer, '{\"request_seq\": 1000000}')).*
             from answer where request_seq = 1"
                .to_owned(),
            "delete from answer where request_seq = 1000000".to_owned(),
            "answer 1000000 is in the database, but its cursor is".to_owned(),
        ),
        row(
            "create temporary table kept as select * from answer where request_seq = 2; delete from answer where request_seq = 2"
                .to_owned(),
            "insert into answer select * from kept".to_owned(),
            "answer 2 is missing: the next one is 3".to_owned(),
        ),
    ]
}

/// The same for postings and accounts.
fn forged_postings(seq: u64, graces: Uuid) -> Vec<(String, String, String)> {
    let posting = |change: &str| {
        format!(
            "update posting set {change} where request_seq = {seq} and account_seq =
             (select opened_seq from account where id = '{graces}')"
        )
    };
    let both = |change: &str| format!("update posting set {change} where request_seq = {seq}");
    let row = |forgery: String, undone: String, expected: String| (forgery, undone, expected);
    vec![
        row(
            posting("balance = balance + 1"),
            posting("balance = balance - 1"),
            format!("the balance of account {graces} after its posting 4"),
        ),
        row(
            posting("amount = amount - 1"),
            posting("amount = amount + 1"),
            format!("the postings of request {seq} sum to -1.00 EUR"),
        ),
        row(
            both("amount = amount * 2"),
            both("amount = amount / 2"),
            format!("the postings of request {seq} are not those in its answer"),
        ),
        row(
            both("request_seq = 1000000"),
            format!("update posting set request_seq = {seq} where request_seq = 1000000"),
            format!("the postings of request {seq} are not those in its answer"),
        ),
        row(
            posting("number = number + 1"),
            posting("number = number - 1"),
            format!("posting 4 of account {graces} is missing"),
        ),
        row(
            "insert into posting (account_seq, number, request_seq, amount, balance) values (0, 1, 999999, 1, 1)".to_owned(),
            "delete from posting where account_seq = 0".to_owned(),
            "on the account that request 0 opened, and there is none".to_owned(),
        ),
        row(
            format!("update account set owner = owner || 'x' where id = '{graces}'"),
            format!("update account set owner = rtrim(owner, 'x') where id = '{graces}'"),
            format!("the owner of account {graces} is"),
        ),
        row(
            format!("update account set held = 5000 where id = '{graces}'"),
            format!("update account set held = 0 where id = '{graces}'"),
            format!("account {graces} is beyond its limit"),
        ),
    ]
}
