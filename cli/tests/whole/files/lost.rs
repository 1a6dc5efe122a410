//! Files whose ledger dies, and files whose time is over.

use std::fs;
use std::time::Instant;

use anyhow::{Result, ensure};
use local::Part;
use reqwest::Method;
use uuid::Uuid;

use super::{Desk, LOOK_PAUSE, kept, statement};
use crate::bank::{PATIENCE, TestBank};

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_dies_before_a_file_is_filed_hands_out_no_half_of_it() -> Result<()> {
    let mut test = TestBank::start_with(&[("QUITTANCE_CRASH_AT", "before-filing")]).await?;
    let id = Desk::at_the_ledger(&test, &test.ada)
        .ask(&statement(test.adas, "csv"))
        .await?;
    test.wait_until_dead(Part::Ledger).await?;
    ensure!(kept(&test)? == [format!("{id}.file"), format!("{id}.json")]);
    test.bank.start_part(Part::Ledger).await?;
    let ada = Desk::at_the_ledger(&test, &test.ada);
    let file = ada.made(id).await?;
    ensure!(file["state"] == "failed", "{file}");
    ensure!(
        file["detail"]
            .as_str()
            .is_some_and(|detail| detail.contains("ask for it again")),
        "{file}"
    );
    let status = ada
        .status(Method::GET, &format!("/files/{id}/content"))
        .await?;
    ensure!(status == 409, "{status}");
    let again = ada.ask(&statement(test.adas, "csv")).await?;
    ada.content(again).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_gone_after_its_time_also_when_the_ledger_died_meanwhile() -> Result<()> {
    let mut test = TestBank::start_with(&[("QUITTANCE_MEDIA_SECONDS", "6")]).await?;
    let ada = Desk::at_the_ledger(&test, &test.ada);
    let id = ada.ask(&statement(test.adas, "csv")).await?;
    ada.content(id).await?;
    let begun = Instant::now();
    while ada
        .status(Method::GET, &format!("/files/{id}/content"))
        .await?
        != 404
    {
        ensure!(begun.elapsed() < PATIENCE, "it stays");
        tokio::time::sleep(LOOK_PAUSE).await;
    }
    until_empty(&test).await?;
    // What a crash leaves has no better time.
    ada.ask(&statement(test.adas, "csv")).await?;
    test.bank.kill(Part::Ledger);
    fs::write(
        test.bank
            .home()
            .media()
            .join(format!("{}.part", Uuid::nil())),
        "half",
    )?;
    fs::write(
        test.bank
            .home()
            .media()
            .join(format!("{}.json", Uuid::nil())),
        "no description",
    )?;
    test.bank.start_part(Part::Ledger).await?;
    until_empty(&test).await
}

async fn until_empty(test: &TestBank) -> Result<()> {
    let begun = Instant::now();
    while !kept(test)?.is_empty() {
        ensure!(begun.elapsed() < PATIENCE, "{:?}", kept(test)?);
        tokio::time::sleep(LOOK_PAUSE).await;
    }
    Ok(())
}
