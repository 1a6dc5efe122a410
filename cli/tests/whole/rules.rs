//! The rules are raised in the log: what the old ones decided stays, and the new ones decide what follows.

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::broker::{self, Publisher};
use common::headers::HeaderLines;
use common::kinds::rules;
use common::message::Outgoing;
use common::wire::REQUESTS;
use local::{Part, Service};

use serde_json::json;
use uuid::Uuid;

use crate::backup::Backup;
use crate::bank::{TestBank, payment};

/// Makes a ledger behave as one that knows no rules after the first yet.
const OLD: (&str, &str) = ("QUITTANCE_RULES", "1");

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_ledger_raises_the_rules_and_a_replay_agrees_over_both() -> Result<()> {
    let mut test = TestBank::start_with(&[OLD]).await?;
    let before = pay_as_ada(&test).await?;
    ensure!(before == [true, true], "by rules 1: {before:?}");
    ensure!(test.check_invariants().await?.rules == 1);

    be_new(&mut test).await?;
    let after = pay_as_ada(&test).await?;
    ensure!(after == [true, false], "by the newest rules: {after:?}");
    let summary = test.check_invariants().await?;
    ensure!(summary.rules == rules::NEWEST, "{summary:?}");

    // A second start finds them raised.
    test.bank.stop_part(Part::Ledger);
    test.bank.start_part(Part::Ledger).await?;
    pay_as_ada(&test).await?;
    let requests = test.check_invariants().await?.requests;
    ensure!(
        requests == summary.requests + 1,
        "{requests} requests after {}: raised twice",
        summary.requests
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_by_older_rules_is_reversed_by_newer_ones() -> Result<()> {
    let mut test = TestBank::start_with(&[("QUITTANCE_RULES", "5")]).await?;
    let id = test.deposit_in_two().await?;
    let path = format!("/payments/{id}/reverse");
    let reverse = async |test: &TestBank| {
        let asked = json!({"payment_id": Uuid::now_v7()});
        let asked = test.post(Service::Payments, &path, &test.staff, &asked, Some(20));
        anyhow::Ok(asked.await?.1)
    };
    let refused = reverse(&test).await?;
    ensure!(
        refused["reason"]["code"] == "NARR" || refused["settlement"]["reason"]["code"] == "NARR",
        "{refused}"
    );
    be_new(&mut test).await?;
    let reversed = reverse(&test).await?;
    ensure!(reversed["status"] == "reversed", "{reversed}");
    test.check_invariants().await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_from_before_the_raise_catches_up_by_comparing() -> Result<()> {
    let mut test = TestBank::start_with(&[OLD, ("QUITTANCE_BATCH_MAX", "2")]).await?;
    pay_as_ada(&test).await?;
    let backup = Backup::take(&test.bank).await?;
    pay_as_ada(&test).await?;
    be_new(&mut test).await?;
    pay_as_ada(&test).await?;
    let before = test.check_invariants().await?;
    test.bank.stop_part(Part::Ledger);
    backup.restore().await?;
    test.bank.start_part(Part::Ledger).await?;
    ensure!(pay_as_ada(&test).await? == [true, false]);
    let after = test.check_invariants().await?;
    ensure!(
        after.requests == before.requests + 1 && after.rules == rules::NEWEST,
        "{before:?} {after:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_meets_newer_rules_halts_and_says_which() -> Result<()> {
    let mut test = TestBank::start().await?;
    let mut headers = HeaderLines::default();
    headers.add("ce-type", rules::REQUESTED);
    let newer = rules::NEWEST + 1;
    let raise = Outgoing {
        subject: rules::SUBJECT.to_owned(),
        headers,
        payload: format!(r#"{{"rules":{newer},"of":"the future"}}"#).into(),
    };
    let ledger = Publisher::new(&test.config("ledger"));
    let seq = ledger.publish_one(REQUESTS, raise).await?.sequence;
    test.wait_until_dead(Part::Ledger).await?;
    let log = std::fs::read_to_string(test.bank.home().log(Part::Ledger))?;
    let expected = format!("request {seq} raises the rules to version {newer}");
    ensure!(log.contains(&expected), "{log}");
    // What stands before it was decided and published, and starting again changes nothing.
    let answered = broker::last_sequence(&test.audit().await?, "SETTLEMENTS").await?;
    ensure!(answered == seq - 1, "{answered} of {seq}");
    test.bank.spawn_part(Service::Ledger)?;
    test.wait_until_dead(Part::Ledger).await?;
    Ok(())
}

/// Has the ledger know all rules from now on, and waits until they are raised.
async fn be_new(test: &mut TestBank) -> Result<()> {
    let last = broker::last_sequence(&test.audit().await?, REQUESTS).await?;
    test.bank.set_env(Service::Ledger, OLD.0, None);
    test.bank.stop_part(Part::Ledger);
    test.bank.start_part(Part::Ledger).await?;
    let raised = test.answer(last + 1).await?;
    let raised = raised.header("ce-type").map(str::to_owned);
    ensure!(
        raised.as_deref() == Some("rules.raised.v1"),
        "{raised:?} instead of a raise"
    );
    // payments sends tokens as the rules want them, once it has projected the raise. A key that it does not know makes it
    // project all answers first; other requests do not wait for them.
    let (_, rest) = test.ada.split_once('.').context("a JWT")?;
    let header = r#"{"alg":"RS256","typ":"at+jwt","kid":"unheard-of"}"#;
    let of_nobody = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header));
    let (status, answer) = test.get(Service::Payments, "/payments", &of_nobody).await?;
    ensure!(
        status == 401 && answer.to_string().contains("key_unknown"),
        "{status} {answer}"
    );
    Ok(())
}

/// Ada pays Grace; whether she hears what each of them has now.
async fn pay_as_ada(test: &TestBank) -> Result<Vec<bool>> {
    let asked = payment(test.adas, test.graces, "1.00");
    let (status, paid) = test.pay(&test.ada, asked, Some(20)).await?;
    ensure!(status == 202 && paid["status"] == "settled", "{paid}");
    let postings = paid["settlement"]["postings"].as_array();
    let postings = postings.context("no postings")?.iter();
    Ok(postings
        .map(|posting| posting["balance"].is_string())
        .collect())
}
