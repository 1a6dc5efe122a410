//! `quittance audit verify`: the books against themselves and against SETTLEMENTS.

use std::path::Path;

use anyhow::{Result, anyhow};
use clap::Args;
use ledger::audit::{self, Part, Soundness, Verified};
use serde_json::json;

use super::bar;
use crate::print;
use crate::running::Running;

/// Options of `quittance audit verify`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Look at the database alone, not at the published answers
    #[arg(long)]
    database_only: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// With the rights of the auditor, who can change nothing.
pub(super) async fn run(options: &Options, home: &Path) -> Result<()> {
    let running = Running::find(home)?;
    let mut database = running.books().await?;
    let broker = (!options.database_only)
        .then(|| running.auditor_config())
        .transpose()?;
    let bar = bar("verifying", "rows", options.json);
    let mut shown = None;
    let verified = audit::verify(broker.as_ref(), &mut database, |part, at, of| {
        if shown.replace(part) != Some(part) {
            bar.reset();
        }
        bar.set_length(of);
        bar.set_position(at);
        bar.set_message(match part {
            Part::Answers => "answers",
            Part::Postings => "postings",
            Part::Accounts => "accounts",
        });
    });
    let verified = verified.await;
    bar.finish_and_clear();
    match verified? {
        Verified::Sound(soundness) => {
            if options.json {
                let mut document = serde_json::to_value(&soundness)?;
                document["sound"] = true.into();
                return Ok(print::json(&document)?);
            }
            let text = text(&soundness, options.database_only);
            Ok(print::line(&format!("The books hold together.\n\n{text}"))?)
        }
        Verified::Fault(fault) => {
            if options.json {
                print::json(&json!({"sound": false, "fault": fault}))?;
            }
            Err(anyhow!("{fault}").context("the books do not hold together"))
        }
    }
}

fn text(soundness: &Soundness, is_alone: bool) -> String {
    let sums = soundness.sums.iter();
    let sums: Vec<String> = sums
        .map(|(currency, sum)| format!("{sum} {currency}"))
        .collect();
    let published = if is_alone {
        "not compared".to_owned()
    } else {
        format!("{} are published like that", soundness.published)
    };
    let facts = print::pairs(&[
        (
            "answers",
            format!("{} follow each other in the chain", soundness.answers),
        ),
        ("settlements", published),
        (
            "postings",
            format!("{} with the balances that follow", soundness.postings),
        ),
        (
            "accounts",
            format!("{} within their limits", soundness.accounts),
        ),
        ("debits − credits", sums.join(", ")),
    ]);
    format!("{facts}\n  chain  {}", soundness.chain)
}
