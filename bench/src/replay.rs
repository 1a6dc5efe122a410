//! The whole log decided again: from the streams, which is the check of the books, and from a file.

use std::time::Instant;

use anyhow::{Result, bail};
use indicatif::ProgressBar;
use ledger::audit::{Verdict, Verified, export, replay_file, verify};
use local::Service;
use sqlx::{Connection as _, PgConnection};

use crate::bank::{AUDITOR, BenchBank};
use crate::figure::Figure;
use crate::numbers::float;

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
    let figures = [
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

fn agreed(verdict: Verdict) -> Result<()> {
    match verdict {
        Verdict::Agrees(_) => Ok(()),
        Verdict::Differs(difference) => bail!("the replay differs: {difference}"),
    }
}
