//! `quittance audit replay`: from the streams of the bank that is open, or from a file, which needs no bank at all.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use clap::Args;
use indicatif::ProgressBar;
use ledger::audit::{self, Summary, Verdict};
use serde_json::json;

use super::{bar, moving};
use crate::failure::Exit;
use crate::print;
use crate::running::Running;

/// Options of `quittance audit replay`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Read the log from the broker of the bank that is open: the default
    #[arg(long, conflicts_with = "from_file")]
    from_stream: bool,
    /// Read the log from a file that `audit export` wrote. Its answers are compared; so are the books of the bank that is
    /// open in the home, if there is one
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
    /// Compare with the answers in the file alone, though a bank is open
    #[arg(long, requires = "from_file")]
    file_only: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Options {
    /// Whether a file has all of it.
    pub(super) fn needs_no_bank(&self) -> bool {
        self.from_file.is_some()
    }
}

pub(super) async fn run(options: &Options, home: &Path) -> Result<()> {
    let bar = bar("replaying", "requests", options.json);
    let verdict = match &options.from_file {
        Some(file) => replay_file(file, options.file_only, home, &bar).await,
        None => replay(&Running::find(home)?, &bar).await,
    };
    bar.finish_and_clear();
    match verdict? {
        Verdict::Agrees(summary) => {
            if options.json {
                let mut document = serde_json::to_value(&summary)?;
                document["agrees"] = true.into();
                print::json(&document)?;
            } else {
                let found = if summary.compared.books {
                    "The log, decided again, leads to the same books."
                } else {
                    "The log, decided again, leads to the same answers."
                };
                print::line(&format!("{found}\n\n{}", summary_text(&summary)))?;
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
    Ok(audit::replay(&broker, &mut database, moving(bar)).await?)
}

async fn replay_file(
    file: &Path,
    is_alone: bool,
    home: &Path,
    bar: &ProgressBar,
) -> Result<Verdict> {
    let mut database = match Running::find(home) {
        Ok(running) if !is_alone => Some(running.books().await?),
        // No bank is open here, and none is needed.
        Err(error) if !is_alone && Exit::of(&error) != Exit::Unreachable => return Err(error),
        Ok(_) | Err(_) => None,
    };
    let replayed = audit::replay_file(file.to_owned(), database.as_mut(), moving(bar));
    replayed
        .await
        .with_context(|| format!("{} can't be replayed", file.display()))
}

pub(crate) fn summary_text(summary: &Summary) -> String {
    let sums = summary.sums.iter();
    let sums: Vec<String> = sums
        .map(|(currency, sum)| format!("{sum} {currency}"))
        .collect();
    let (requests, compared) = (summary.requests, summary.compared);
    let answers = if compared.published < requests {
        let published = compared.published;
        format!("{requests} decided again; the {published} published answers are the same")
    } else {
        format!("{requests} decided again; all {requests} answers are the same")
    };
    let accounts = if compared.books {
        format!("{} with equal balances", summary.accounts)
    } else {
        summary.accounts.to_string()
    };
    let mut rows = vec![
        ("requests", answers),
        ("payments", format!("{} settled", summary.settled)),
        ("accounts", accounts),
        ("debits − credits", sums.join(", ")),
        ("rules", format!("version {}", summary.rules)),
    ];
    match (compared.books, compared.rows) {
        (true, _) => {}
        (false, 0) => rows.push(("database", "not compared".to_owned())),
        (false, _) => rows.push((
            "database",
            format!("equal up to request {requests}; it has decided more since"),
        )),
    }
    // It is too long to stand in the table.
    format!("{}\n  chain  {}", print::pairs(&rows), summary.chain)
}
