//! `quittance audit`: [`Command::Replay`] decides the whole log again, into empty books, and compares everything;
//! [`events`] shows what happened in auth.

mod events;

use std::path::Path;

use anyhow::{Result, anyhow};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use ledger::audit::{self, Summary, Verdict};
use serde_json::json;

use crate::print;
use crate::running::Running;

/// What to check.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Decide every request again from the first one on; compare each answer, each balance and the hash chain
    Replay(Replay),
    /// Show what happened in auth, the newest first: logins, failed ones too, and who changed what
    Events(events::Events),
}

/// Options of `quittance audit replay`.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// An error, and so exit code 1, when something differs.
pub(crate) async fn run(command: &Command, home: &Path) -> Result<()> {
    let options = match command {
        Command::Replay(options) => options,
        Command::Events(options) => return events::run(options, home).await,
    };
    let running = Running::find(home)?;
    let bar = if options.json {
        ProgressBar::hidden()
    } else {
        bar()
    };
    let verdict = replay(&running, &bar).await;
    bar.finish_and_clear();
    match verdict? {
        Verdict::Agrees(summary) => {
            if options.json {
                let mut document = serde_json::to_value(&summary)?;
                document["agrees"] = true.into();
                print::json(&document)?;
            } else {
                let text = summary_text(&summary);
                print::line(&format!(
                    "The log, decided again, leads to the same books.\n\n{text}"
                ))?;
            }
            Ok(())
        }
        Verdict::Differs(difference) => {
            if options.json {
                print::json(&json!({"agrees": false, "difference": difference}))?;
            }
            Err(anyhow!("{difference}").context("the books are not what the log leads to"))
        }
    }
}

/// Replays with the rights of the auditor, who reads the streams and the books and can change neither.
pub(crate) async fn replay(running: &Running, bar: &ProgressBar) -> Result<Verdict> {
    let mut database = running.books().await?;
    let broker = running.auditor_config()?;
    let verdict = audit::replay(&broker, &mut database, |at, of| {
        bar.set_length(of);
        bar.set_position(at);
    });
    Ok(verdict.await?)
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template(
        "  replaying {bar:30} {human_pos}/{human_len} requests, {per_sec:.0}, {eta} left",
    );
    ProgressBar::new(0).with_style(style.expect("the template is a constant"))
}

pub(crate) fn summary_text(summary: &Summary) -> String {
    let sums = summary.sums.iter();
    let sums: Vec<String> = sums
        .map(|(currency, sum)| format!("{sum} {currency}"))
        .collect();
    let facts = print::pairs(&[
        (
            "requests",
            format!(
                "{0} decided again; all {0} answers are the same",
                summary.requests
            ),
        ),
        ("payments", format!("{} settled", summary.settled)),
        (
            "accounts",
            format!("{} with equal balances", summary.accounts),
        ),
        ("debits − credits", sums.join(", ")),
        ("rules", format!("version {}", summary.rules)),
    ]);
    // It is too long to stand in the table.
    format!("{facts}\n  chain  {}", summary.chain)
}
