//! Receipts: a payment's own, checked without the bank, seen by those it concerns, and refused once the books were changed.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use ledger::core::chain::Digest;
use ledger::core::merkle::is_consistent;
use ledger::receipts::document::{AnswerForm, Receipt};
use ledger::receipts::note::{Checkpoint, PublicKey};
use local::{Part, Service};
use serde_json::Value;
use sqlx::{Connection as _, PgConnection};

use crate::bank::{TestBank, payment};

async fn receipt(test: &TestBank, token: &str, seq: u64) -> Result<(u16, Value)> {
    let path = format!("/transactions/{seq}/receipt");
    test.get(Service::Ledger, &path, token).await
}

/// The answer alone.
async fn transaction(test: &TestBank, token: &str, seq: u64) -> Result<(u16, Value)> {
    let path = format!("/transactions/{seq}");
    test.get(Service::Ledger, &path, token).await
}

/// The newest checkpoint, opened with the key that the ledger names beside it.
async fn checkpoint(test: &TestBank) -> Result<(Checkpoint, PublicKey)> {
    let (status, body) = test
        .get(Service::Ledger, "/checkpoint?fresh=true", &test.staff)
        .await?;
    ensure!(status == 200, "{status} {body}");
    let text = |name: &str| body["tree"][name].as_str().context("a text");
    let key: PublicKey = text("key")?.parse()?;
    Ok((key.open(text("note")?)?, key))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_proves_a_payment_to_those_it_concerns() -> Result<()> {
    let test = TestBank::start().await?;
    let grace = test.login("grace@bank.test", "grace-password").await?;
    let mut asked = payment(test.adas, test.graces, "30.00");
    asked["metadata"] = serde_json::json!({"note": "of Ada's own"});
    let (_, paid) = test.pay(&test.ada, asked, Some(20)).await?;
    let seq = paid["request_seq"].as_u64().context("no sequence")?;
    let (_, key) = checkpoint(&test).await?;

    // At once, though the tree follows behind: who asks does not wait for the next minute.
    let (status, body) = receipt(&test, &test.ada, seq).await?;
    ensure!(status == 200, "{status} {body}");
    let full = Receipt::read(body.to_string().as_bytes())?;
    let proven = full.check(Some(&key))?;
    ensure!(
        full.answer.form == AnswerForm::Full && proven.answer["amount"] == "30.00",
        "{proven:?}"
    );
    let published = test.answer(seq).await?;
    ensure!(full.answer.body.as_bytes() == published.payload);
    ensure!(published.header("Quittance-Chain") == Some(&*proven.chain));
    let seen = transaction(&test, &test.ada, seq).await?;
    ensure!(seen == (200, serde_json::from_slice(&published.payload)?));

    let (status, body) = receipt(&test, &grace, seq).await?;
    ensure!(status == 200, "{status} {body}");
    let shared = Receipt::read(body.to_string().as_bytes())?;
    shared.check(Some(&key))?;
    ensure!(shared.answer.form == AnswerForm::Shared);
    for hidden in ["970.00", "of Ada's own", "balance"] {
        ensure!(!body.to_string().contains(hidden), "{hidden}: {body}");
    }
    let seen = transaction(&test, &grace, seq).await?;
    ensure!(seen == (200, serde_json::from_str(&shared.answer.body)?));
    // Staff see all; what does not concern her, Grace does not see, and neither does anybody what is not there.
    let (status, _) = receipt(&test, &test.staff, seq).await?;
    ensure!(status == 200, "{status}");
    let (_, refused) = test
        .pay(&test.ada, payment(test.adas, test.graces, "5000"), Some(20))
        .await?;
    let refused = refused["request_seq"].as_u64().context("no sequence")?;
    for (token, seq, expected) in [
        (&test.ada, refused, 200),
        (&grace, refused, 404),
        (&grace, 1, 404),
        (&test.staff, 1_000_000, 404),
        (&test.staff, 0, 404),
        (&test.staff, u64::MAX, 404),
    ] {
        let (status, body) = receipt(&test, token, seq).await?;
        ensure!(status == expected, "{seq}: {status} {body}");
        let (status, body) = transaction(&test, token, seq).await?;
        ensure!(status == expected, "{seq}: {status} {body}");
    }
    in_python(&full, &key)
}

/// The same in another language.
fn in_python(receipt: &Receipt, key: &PublicKey) -> Result<()> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/python");
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("receipt");
    let python = local::testing::python(&place, &examples.join("requirements.txt"));
    let directory = tempfile::tempdir()?;
    let check = |name: &str, receipt: &Receipt| -> Result<std::process::Output> {
        let file = directory.path().join(name);
        std::fs::write(&file, serde_json::to_vec(receipt)?)?;
        let mut python = Command::new(&python);
        python.arg(examples.join("check_receipt.py")).arg(&file);
        Ok(python.arg(key.to_string()).output()?)
    };
    let checked = check("receipt", receipt)?;
    let said = String::from_utf8_lossy(&checked.stdout);
    ensure!(
        checked.status.success() && said.contains(&key.fingerprint()),
        "{said}{}",
        String::from_utf8_lossy(&checked.stderr)
    );
    let mut changed = receipt.clone();
    changed.answer.body = changed.answer.body.replace("30.00", "31.00");
    let checked = check("changed", &changed)?;
    let said = String::from_utf8_lossy(&checked.stderr);
    ensure!(!checked.status.success() && said.contains("the answer was changed"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_only_grows_and_whoever_kept_a_checkpoint_can_tell() -> Result<()> {
    let mut test = TestBank::start().await?;
    let (old, key) = checkpoint(&test).await?;
    let pay = async |amount: &str| {
        test.pay(&test.ada, payment(test.adas, test.graces, amount), Some(20))
            .await
    };
    pay("1.00").await?;
    pay("2.00").await?;
    let (new, _) = checkpoint(&test).await?;
    ensure!(new.size == old.size + 2, "{old:?} {new:?}");
    let (from, to) = (old.size, new.size);
    let path = format!("/checkpoint/consistency?from={from}&to={to}");
    let (status, body) = test.get(Service::Ledger, &path, &test.ada).await?;
    ensure!(status == 200, "{status} {body}");
    ensure!(
        key.open(body["checkpoint"].as_str().context("a note")?)? == new,
        "{body}"
    );
    let proof: Option<Vec<Digest>> = body["proof"]
        .as_array()
        .context("a list")?
        .iter()
        .map(|hash| ledger::core::chain::Chain::from_hex(hash.as_str()?).map(|chain| chain.0))
        .collect();
    let proof = proof.context("hashes")?;
    let (old, new) = ((old.size, old.root), (new.size, new.root));
    ensure!(is_consistent(old, new, &proof), "{body}");
    ensure!(!is_consistent((old.0, [0; 32]), new, &proof));
    for query in ["from=0", "from=9&to=8", "from=1&to=1000000", "from=x", ""] {
        let path = format!("/checkpoint/consistency?{query}");
        let (status, body) = test.get(Service::Ledger, &path, &test.ada).await?;
        ensure!(status == 400, "{query}: {status} {body}");
    }

    // A ledger that starts again goes on with the same key, where the tree ended.
    test.bank.stop_part(Part::Ledger);
    test.bank.start_part(Part::Ledger).await?;
    let (_, paid) = test
        .pay(&test.ada, payment(test.adas, test.graces, "3.00"), Some(20))
        .await?;
    let seq = paid["request_seq"].as_u64().context("no sequence")?;
    for seq in 1..=seq {
        let (status, body) = receipt(&test, &test.staff, seq).await?;
        ensure!(status == 200, "{status} {body}");
        Receipt::read(body.to_string().as_bytes())?.check(Some(&key))?;
    }

    // Whoever changes an answer gets no receipt for it: it does not lead to the root any more.
    let superuser = test.bank.servers().superuser_database_url(Service::Ledger);
    let mut database = PgConnection::connect(&superuser).await?;
    let forged = format!(
        "set session_replication_role = replica;
         update answer set body = convert_to(replace(convert_from(body, 'utf8'), '3.00', '4.00'), 'utf8')
         where request_seq = {seq}"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(forged))
        .execute(&mut database)
        .await?;
    let (status, body) = receipt(&test, &test.staff, seq).await?;
    ensure!(status == 503, "{status} {body}");
    Ok(())
}
