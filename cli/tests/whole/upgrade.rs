//! A bank made by an older version of the program, opened by today's: the same books, the same answers, and the next
//! request is answered behind them.
//!
//! The older bank is a directory of files in `fixtures/`; its README says what is in it. Laid into a new home are the
//! broker's two streams as they were on the disk, with the times at which each request was stored, and the ledger's
//! database. auth is left out: the private key that signed the old tokens was thrown away, and the ledger takes no
//! other first key. So there are no tokens for it, and what this bank is asked afterwards needs none.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use anyhow::{Context as _, Result, ensure};
use common::message::Stored;
use common::wire;
use local::{Home, Ports, Producer, ServerOptions, Servers, Service, ServiceProcess};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::agreement::agreed;
use crate::bank::{SHOP, answers, payment, producer};

const FIXTURE: &str = "tests/whole/fixtures/bank-of-rules-1";
/// What the older program's own audit said at the end. Today's must say the same; when it does not, today's is wrong.
const REQUESTS_IN_LOG: usize = 51;
const SETTLED: u64 = 18;
const CHAIN: &str = "338fe78fdd1344caa79e30ef2f0d27979a09d9c2ca39992a5cb891e8427e1465";
/// Each account with the balance it had.
const BALANCES: [(&str, &str); 8] = [
    ("01900000-ada0-7000-8000-000000000002", "973.42"), // EUR, Ada
    ("01900000-96ac-7000-8000-000000000003", "1265.08"), // EUR, Grace
    ("01900000-ca54-7000-8000-000000000001", "2240.00"), // EUR, the bank's cash
    ("01900000-0000-7000-8000-000000000010", "-1800"),  // JPY, Ada
    ("01900000-0000-7000-8000-000000000011", "1800"),   // JPY, Grace
    ("01900000-0000-7000-8000-000000000012", "1.50"),   // EUR, the bank's fees
    ("01900000-0000-7000-8000-000000000013", "1.234"),  // KWD, Ada
    ("01900000-0000-7000-8000-000000000014", "1.234"),  // KWD, the bank's gifts
];

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_made_by_an_older_version_goes_on_with_the_same_books() -> Result<()> {
    let servers = older_bank().await?;
    let old = answers(&servers, 1, REQUESTS_IN_LOG).await?;
    ensure!(balances(&old)? == noted_balances());
    ensure!(old.last().and_then(|answer| answer.header(wire::CHAIN)) == Some(CHAIN));

    let program = Path::new(env!("CARGO_BIN_EXE_quittance"));
    let mut ledger = ServiceProcess::start(&servers, program, Service::Ledger).await?;
    ledger.wait_until_ready().await?;
    ensure!(migrations_run(&servers).await? == migrations_there_are()?);
    the_audit_agrees(&servers, REQUESTS_IN_LOG).await?;

    // It leads: what comes now is answered, behind the old answers and what a newer ledger asks for by itself.
    let next = publish_without_token(&servers).await?;
    let published = answers(&servers, 1, next).await?;
    let answer: Value = serde_json::from_slice(&published[next - 1].payload)?;
    ensure!(
        answer["status"] == "rejected" && answer["reason"]["code"] == "AG01",
        "{answer}"
    );
    the_audit_agrees(&servers, next).await?;

    // Nothing old was touched: not in the log, and not in the database.
    for (old, now) in old.iter().zip(&published) {
        ensure!(
            event(old) == event(now),
            "answer {} was {old:?}, is {now:?}",
            old.sequence
        );
    }
    let kept = kept(&servers, next).await?;
    ensure!(kept.len() == next, "{} answers are kept", kept.len());
    for ((subject, body, chain), now) in kept.iter().zip(&published) {
        ensure!(
            (&**subject, &**body, Some(&**chain)) == event(now),
            "the database keeps another answer {}",
            now.sequence
        );
    }
    Ok(())
}

/// Servers that hold the older bank, as it was when its program ended. No service has seen them yet.
async fn older_bank() -> Result<Servers> {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join(FIXTURE);
    let home = Home::temporary()?;
    copy(
        &fixture.join("broker"),
        &home.broker_store().join("jetstream"),
    )?;
    let options = ServerOptions {
        ports: Ports::Free,
        producers: vec![Producer::direct(SHOP)],
    };
    let servers = Servers::start(home, &options, &local::silent()).await?;
    let mut database = PgConnection::connect(&servers.owner_database_url(Service::Ledger)).await?;
    let dump = fs::read_to_string(fixture.join("ledger.sql"))?;
    sqlx::raw_sql(AssertSqlSafe(dump))
        .execute(&mut database)
        .await
        .context("the database can't be restored")?;
    database.close().await?;
    Ok(servers)
}

/// A directory with all that is in it.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// The books in the database, balances too, are those that the log leads to, and go at least as far as request `to`.
async fn the_audit_agrees(servers: &Servers, to: usize) -> Result<()> {
    let books = agreed(servers).await?;
    ensure!(books.requests >= u64::try_from(to)?, "{books:?}");
    ensure!(
        books.settled == SETTLED && books.accounts == BALANCES.len(),
        "other books: {books:?}"
    );
    let mut database = PgConnection::connect(&servers.audit_database_url()).await?;
    let cursor: i64 = sqlx::query_scalar("select seq from cursor")
        .fetch_one(&mut database)
        .await?;
    ensure!(cursor >= i64::try_from(to)?, "the cursor is {cursor}");
    Ok(())
}

async fn migrations_run(servers: &Servers) -> Result<i64> {
    let owner = servers.owner_database_url(Service::Ledger);
    let mut database = PgConnection::connect(&owner).await?;
    let count = "select count(*) from _sqlx_migrations where success";
    Ok(sqlx::query_scalar(count).fetch_one(&mut database).await?)
}

fn migrations_there_are() -> Result<i64> {
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ledger/migrations");
    Ok(i64::try_from(fs::read_dir(migrations)?.count())?)
}

/// A payment by the shop without a token. Returns its place in the log.
async fn publish_without_token(servers: &Servers) -> Result<usize> {
    let client = producer(servers, SHOP).await?;
    let [(debtor, _), (creditor, _), ..] = BALANCES;
    let payment = payment(debtor.parse()?, creditor.parse()?, "1.00").to_string();
    let subject = format!("request.payment.v1.{SHOP}");
    let ack = client.request(subject, payment.into()).await?;
    let ack: Value = serde_json::from_slice(&ack.payload)?;
    let seq = ack["seq"].as_u64();
    Ok(usize::try_from(
        seq.with_context(|| format!("no PubAck: {ack}"))?,
    )?)
}

/// Subject, body and head of the chain of the answers up to `to`, as the database keeps them.
async fn kept(servers: &Servers, to: usize) -> Result<Vec<(String, Vec<u8>, String)>> {
    let mut database = PgConnection::connect(&servers.audit_database_url()).await?;
    let rows = sqlx::query_as(
        "select subject, body, encode(chain, 'hex') from answer where request_seq <= $1 order by request_seq",
    );
    Ok(rows
        .bind(i64::try_from(to)?)
        .fetch_all(&mut database)
        .await?)
}

/// What a subscriber sees of an answer; the head of the chain covers its request and all before it.
fn event(answer: &Stored) -> (&str, &[u8], Option<&str>) {
    let chain = answer.header(wire::CHAIN);
    (&answer.subject, &answer.payload, chain)
}

/// The balance of each account after its last posting, as the answers tell it; accounts without postings are left out.
fn balances(answers: &[Stored]) -> Result<BTreeMap<String, String>> {
    let mut balances = BTreeMap::new();
    for answer in answers {
        let answer: Value = serde_json::from_slice(&answer.payload)?;
        for posting in answer["postings"].as_array().into_iter().flatten() {
            let [account, balance] = ["account", "balance"].map(|field| posting[field].as_str());
            balances.insert(
                account.context("an account")?.to_owned(),
                balance.context("a balance")?.to_owned(),
            );
        }
    }
    Ok(balances)
}

fn noted_balances() -> BTreeMap<String, String> {
    BALANCES
        .map(|(account, balance)| (account.to_owned(), balance.to_owned()))
        .into()
}
