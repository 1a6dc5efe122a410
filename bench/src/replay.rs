//! The whole log decided again: from the streams, which is the check of the books, and from a file.

use std::time::Instant;

use anyhow::{Result, bail};
use common::token::Audience;
use futures::future::try_join_all;
use indicatif::ProgressBar;
use ledger::audit::{Verdict, Verified, export, replay_file, verify};
use local::Service;
use sqlx::{Connection as _, PgConnection};

use crate::bank::{AUDITOR, BenchBank, PATIENCE};
use crate::figure::Figure;
use crate::http::Connection;
use crate::numbers::float;

/// Who ask for receipts at a time, and how many each gets.
const CONNECTIONS: u64 = 16;
const RECEIPTS: u64 = 250;

/// Requests a second: `streamed`, and what else an audit does with the same log.
pub(crate) async fn figures(
    bank: &BenchBank,
    streamed: f64,
    bar: &ProgressBar,
) -> Result<Vec<Figure>> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("log");
    let auditor = bank.config(AUDITOR);
    bar.set_message("exporting the log");
    let started = Instant::now();
    let exported = export(&auditor, &file, |_, _| {}).await?;
    let rate = |started: Instant| float(exported.requests) / started.elapsed().as_secs_f64();
    let written = rate(started);

    bar.set_message("replaying from the file");
    let started = Instant::now();
    let verdict = replay_file(file.clone(), None, |_, _| {}).await?;
    let from_file = rate(started);
    agreed(verdict)?;

    let url = bank.bank.servers().database_url(Service::Ledger);
    let mut database = PgConnection::connect(&url).await?;
    let started = Instant::now();
    let verdict = replay_file(file, Some(&mut database), |_, _| {}).await?;
    let with_books = rate(started);
    agreed(verdict)?;

    bar.set_message("verifying the books");
    let started = Instant::now();
    let verified = verify(Some(&auditor), &mut database, |_, _, _| {}).await?;
    let verifying = rate(started);
    if let Verified::Fault(fault) = verified {
        bail!("the books have a fault: {fault}");
    }
    bar.set_message("getting receipts");
    let receipts = receipts_per_s(bank, exported.requests).await?;
    let figures = [
        (
            "receipts_per_s",
            "receipts over HTTP, 16 connections",
            receipts,
        ),
        ("replay_per_s", "replay of the whole log", streamed),
        (
            "replay_file_per_s",
            "replay of the log in a file, answers compared",
            from_file,
        ),
        (
            "replay_file_books_per_s",
            "replay of the log in a file, books compared",
            with_books,
        ),
        ("export_per_s", "export of the log to a file", written),
        ("verify_per_s", "verification of the books", verifying),
    ];
    let figures = figures
        .into_iter()
        .filter_map(|(key, title, rate)| Figure::new(key, title, "1/s", &[rate]));
    Ok(figures.collect())
}

/// Receipts of payments all over the log, each with its proof.
async fn receipts_per_s(bank: &BenchBank, last: u64) -> Result<f64> {
    let url = bank.bank.url(Service::Ledger);
    let token = bank.tokens(Audience::Http, 1).await?.concat();
    let get = |seq: u64| {
        let host = url.strip_prefix("http://").unwrap_or(&url);
        format!(
            "GET /transactions/{seq}/receipt HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\r\n"
        )
    };
    // The tree follows the answers; all of it must be there.
    let whole = async {
        let mut connection = Connection::open(&url).await?;
        while connection.send(get(last).as_bytes()).await?.0 == 503 {}
        anyhow::Ok(())
    };
    tokio::time::timeout(PATIENCE, whole).await??;
    let started = Instant::now();
    let getting = (0..CONNECTIONS).map(async |number| {
        let mut connection = Connection::open(&url).await?;
        for round in 0..RECEIPTS {
            // From the newest on down, far apart: the oldest are the bank's own.
            let back =
                (number + round * CONNECTIONS) * (last / 2 / (CONNECTIONS * RECEIPTS)).max(1);
            let request = get(last.saturating_sub(back).max(1));
            connection.send_json(request.as_bytes()).await?;
        }
        anyhow::Ok(())
    });
    try_join_all(getting).await?;
    Ok(float(CONNECTIONS * RECEIPTS) / started.elapsed().as_secs_f64())
}

fn agreed(verdict: Verdict) -> Result<()> {
    match verdict {
        Verdict::Agrees(_) => Ok(()),
        Verdict::Differs(difference) => bail!("the replay differs: {difference}"),
    }
}
