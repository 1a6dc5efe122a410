//! Proof: the log in a file replays without a bank and names whatever was changed, in the file or in the books.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use ledger::audit::log_file::{LogFileReader, LogFileWriter};
use ledger::audit::{Verdict, export, replay_file};
use local::Part;
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;

use crate::bank::{PATIENCE, TestBank, payment};

/// A bank with some history: settled, rejected and duplicate payments, and a message with headers that nobody can read.
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
    let exporting = export(&test.config("audit"), &path, |at, of| seen = (at, of));
    let exported = tokio::time::timeout(PATIENCE, exporting).await??;
    ensure!(
        exported.requests == exported.answers && seen == (exported.requests, exported.requests),
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
