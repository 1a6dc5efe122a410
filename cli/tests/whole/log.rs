//! The log as the truth: audit replay finds a forged balance and a forged answer, an older database catches up by
//! comparing, and a log that was lost stops the ledger.

use anyhow::{Context as _, Result, ensure};
use common::broker;
use common::broker::Publisher;
use common::headers::HeaderLines;
use common::kinds::rules;
use common::message::Outgoing;
use common::wire::{REQUESTS, SETTLEMENTS};
use ledger::audit::Verdict;
use local::{Part, Service};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::backup::Backup;
use crate::bank::{TestBank, payment};
use crate::by_hand::change_by_hand;

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_names_whatever_was_changed_by_hand() -> Result<()> {
    let test = TestBank::start().await?;
    let (_, paid) = test
        .pay(
            &test.ada,
            payment(test.adas, test.graces, "30.00"),
            Some(20),
        )
        .await?;
    let agreed = test.check_invariants().await?;
    ensure!(
        agreed.settled == 3 && agreed.sums["EUR"] == "0",
        "{agreed:?}"
    );
    let seq = paid["request_seq"].as_u64().context("no sequence")?;
    let graces = test.graces;

    let superuser = test.bank.servers().superuser_database_url(Service::Ledger);
    let mut database = PgConnection::connect(&superuser).await?;
    let mut forgeries = forgeries(seq, graces);
    forgeries.push((
        format!("insert into reversal (request_seq, original_seq) values (1000000, {seq})"),
        "delete from reversal where request_seq = 1000000".to_owned(),
        "nothing was reversed by the log, but all of it in the database".to_owned(),
    ));
    for (forgery, undone, expected) in forgeries {
        change_by_hand(&mut database, &forgery).await?;
        let found = match test.replay().await {
            Ok(Verdict::Differs(difference)) => difference,
            Ok(Verdict::Agrees(_)) => anyhow::bail!("not seen: {forgery}"),
            Err(error) => format!("{error:#}"),
        };
        ensure!(found.contains(&expected), "{forgery}: {found}");
        change_by_hand(&mut database, &undone).await?;
        ensure!(
            matches!(test.replay().await?, Verdict::Agrees(_)),
            "put back, but not seen: {forgery}"
        );
    }
    Ok(())
}

/// What somebody might change in the books by hand, how it is undone, and what a replay says of it.
fn forgeries(seq: u64, graces: Uuid) -> Vec<(String, String, String)> {
    let replaced = |from: &str, to: &str| {
        let body =
            format!("convert_to(replace(convert_from(body, 'utf8'), '{from}', '{to}'), 'utf8')");
        format!("update answer set body = {body} where request_seq = {seq}")
    };
    let set = |table: &str, change: &str| {
        format!("update {table} set {change} where request_seq = {seq}")
    };
    vec![
        (
            format!("update account set overdraft_limit = 1 where id = '{graces}'"),
            format!("update account set overdraft_limit = 0 where id = '{graces}'"),
            format!("account {graces} is posted 1030.00 EUR, held 0.00, overdraft 1.00,"),
        ),
        (
            replaced("30.00", "31.00"),
            replaced("31.00", "30.00"),
            format!("the body of answer {seq} is"),
        ),
        (
            set("answer", "body = '\\x00'::bytea || body"),
            set("answer", "body = substr(body, 2)"),
            format!("the body of answer {seq} can't be read"),
        ),
        (
            set("posting", "balance = balance + 1"),
            set("posting", "balance = balance - 1"),
            format!("the postings of request {seq}"),
        ),
        (
            set("posting", "effective_date = '2026-01-01'"),
            set("posting", "effective_date = null"),
            format!("the postings of request {seq}"),
        ),
        (
            set("posting", "effective_date = 'infinity'"),
            set("posting", "effective_date = null"),
            format!("the postings of request {seq}"),
        ),
        (
            set("answer", "published_at = 'infinity'"),
            format!(
                "update answer set published_at = (convert_from(body, 'utf8')::jsonb->>'published_at')::timestamptz
                 where request_seq = {seq}"
            ),
            format!("answer {seq}"),
        ),
        (
            "update rules_raised set raised_seq = -raised_seq".to_owned(),
            "update rules_raised set raised_seq = -raised_seq".to_owned(),
            "where no number is negative".to_owned(),
        ),
        (
            set("posting", "number = number + 1000"),
            set("posting", "number = number - 1000"),
            "the postings of request".to_owned(),
        ),
        (
            "insert into posting (account_seq, number, request_seq, amount, balance)
             select opened_seq, 1000, 1, 0.01, 0 from account"
                .to_owned(),
            "delete from posting where number = 1000".to_owned(),
            "account ".to_owned(),
        ),
        (
            "insert into posting (account_seq, number, request_seq, amount, balance) values (0, 1, 1, 1, 1)"
                .to_owned(),
            "delete from posting where account_seq = 0".to_owned(),
            "1 postings are on no account".to_owned(),
        ),
        (
            "insert into answer select (jsonb_populate_record(answer, '{\"request_seq\": 1000000}')).*
             from answer where request_seq = 1"
                .to_owned(),
            "delete from answer where request_seq = 1000000".to_owned(),
            "1 answers are in the database, but not between 1 and".to_owned(),
        ),
        (
            format!("delete from rules_raised where version = {}", rules::NEWEST),
            format!(
                "insert into rules_raised select {}, request_seq from answer where event_type = 'rules.raised.v1'",
                rules::NEWEST
            ),
            "the rules were raised as".to_owned(),
        ),
        (
            set("answer", "client_id = 'x' || client_id"),
            set("answer", "client_id = substr(client_id, 2)"),
            format!("the record of answer {seq}"),
        ),
        (
            "insert into signing_key values ('planted', 'issuer', 'AQAB', 'AQAB', 1)".to_owned(),
            "delete from signing_key where kid = 'planted'".to_owned(),
            "planted".to_owned(),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_settlement_stops_the_ledger_and_is_named_by_the_replay() -> Result<()> {
    let mut test = TestBank::start().await?;
    let (_, paid) = test
        .pay(
            &test.ada,
            payment(test.adas, test.graces, "30.00"),
            Some(20),
        )
        .await?;
    test.bank.kill(Part::Ledger);
    // With the ledger's own login: the true answer to the last payment, once more, as the answer to the next.
    let client = test.core("ledger").await?;
    let seq = paid["request_seq"].as_u64().context("no sequence")?;
    let answer = broker::get(&broker::jetstream(&client), SETTLEMENTS, seq)
        .await?
        .context("no answer")?;
    let next_payment = payment(test.adas, test.graces, "1.00");
    let next = test
        .publish(
            &test.producer().await?,
            test.headers(&next_payment),
            next_payment.to_string(),
        )
        .await?;
    let mut headers = HeaderLines::default();
    for name in ["ce-type", "ce-time", "Quittance-Chain"] {
        headers.add(
            name,
            answer.header(name).context("a header of every answer")?,
        );
    }
    let forged = Outgoing {
        subject: answer.subject,
        headers,
        payload: answer.payload,
    };
    Publisher::new(&test.config("ledger"))
        .publish_batch(SETTLEMENTS, &[forged], Some(next - 1))
        .await?;
    // The ledger decides the request, sees what is there already, and stops without writing anything.
    test.bank.spawn_part(Service::Ledger)?;
    test.wait_until_dead(Part::Ledger).await?;
    let log = std::fs::read_to_string(test.bank.home().log(Part::Ledger))?;
    ensure!(log.contains(&format!("of answer {next} is")), "{log}");
    let Verdict::Differs(difference) = test.replay().await? else {
        anyhow::bail!("a forged answer is not seen")
    };
    ensure!(
        difference.contains(&format!("of answer {next} is"))
            && difference.ends_with("in SETTLEMENTS"),
        "{difference}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_database_catches_up_from_the_log_by_comparing() -> Result<()> {
    let mut test = TestBank::start_with(&[("QUITTANCE_BATCH_MAX", "2")]).await?;
    let pays = async |amount: &str| {
        test.pay(&test.ada, payment(test.adas, test.graces, amount), Some(20))
            .await
    };
    pays("10.00").await?;
    let backup = Backup::take(&test.bank).await?;
    pays("20.00").await?;
    pays("5000.00").await?;
    pays("30.00").await?;
    let before = test.check_invariants().await?;
    test.bank.stop_part(Part::Ledger);
    backup.restore().await?;
    test.bank.start_part(Part::Ledger).await?;
    // A new payment is answered behind the old ones, which were compared and not published again.
    let (_, paid) = test
        .pay(
            &test.ada,
            payment(test.adas, test.graces, "40.00"),
            Some(20),
        )
        .await?;
    ensure!(paid["status"] == "settled", "{paid}");
    let after = test.check_invariants().await?;
    ensure!(
        after.requests == before.requests + 1,
        "{before:?} {after:?}"
    );
    ensure!(test.posted(test.graces).await? == "1100.00");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_log_stops_the_ledger() -> Result<()> {
    let mut test = TestBank::start().await?;
    let superuser = test.bank.servers().superuser_database_url(Service::Ledger);
    test.bank.stop_part(Part::Ledger);
    let log = broker::last_sequence(&test.audit().await?, REQUESTS).await?;
    let mut database = PgConnection::connect(&superuser).await?;
    sqlx::query("update cursor set seq = seq + 100")
        .execute(&mut database)
        .await?;
    test.bank.spawn_part(Service::Ledger)?;
    test.wait_until_dead(Part::Ledger).await?;
    let text = std::fs::read_to_string(test.bank.home().log(Part::Ledger))?;
    ensure!(text.contains(&format!("REQUESTS ends at {log}")), "{text}");
    Ok(())
}
