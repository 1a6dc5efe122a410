//! `quittance doctor`: everything that somebody would ask who is called to a bank that is not well, asked at once.
//!
//! A part that is down or hangs is a finding like any other: each question has a time limit of its own, and nothing here
//! changes anything. [`finding`] is what comes out; [`home`], [`parts`], [`broker`], [`books`] and [`progress`] ask.

mod books;
mod broker;
mod clocks;
mod finding;
mod home;
mod parts;
mod patient;
mod progress;
mod runbook;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::json;

use crate::print;
use crate::running::{Running, invocation};
use finding::{Finding, State};
use patient::{Clock, Patient};
use runbook::Runbook;

/// Options of `quittance doctor`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print a page that says what to do, and look at nothing
    #[arg(
        long,
        value_enum,
        value_name = "NAME",
        hide_possible_values = true,
        ignore_case = true
    )]
    runbook: Option<Runbook>,
    /// For tests: what time this machine believes it is
    #[arg(long, value_name = "TIME", hide = true)]
    now: Option<DateTime<Utc>>,
}

/// Looks at the bank in `home`. Exit code 1 when somebody has to do something.
pub(crate) async fn run(options: &Options, home: &Path) -> Result<ExitCode> {
    if let Some(runbook) = options.runbook {
        print::line(runbook.text().trim_end())?;
        return Ok(ExitCode::SUCCESS);
    }
    let clock = Clock::set_to(options.now);
    let findings = look(home, clock).await;
    let is_well = findings.iter().all(|one| one.state == State::Well);
    if options.json {
        print::json(&json!({"is_well": is_well, "at": clock.now(), "findings": findings}))?;
    } else {
        print::line(&text(&findings, home))?;
    }
    Ok(if is_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn look(home: &Path, clock: Clock) -> Vec<Finding> {
    let own = home::look(home);
    let running = match Running::find(home) {
        Ok(running) => running,
        Err(error) => {
            let next = format!(
                "open it with `{} up`; its logs say how it ended",
                invocation(home)
            );
            let bank = Finding::bad("bank", error.root_cause(), next, Runbook::ServiceMissing);
            return [vec![bank], own.await].concat();
        }
    };
    let patient = async { Patient::of(running, clock).await };
    let (own, patient) = tokio::join!(own, patient);
    let bank = Finding::well("bank", format!("runs in {}", home.display()));
    let (parts, broker, books, progress, clocks) = tokio::join!(
        parts::look(&patient),
        broker::look(&patient),
        books::look(&patient),
        progress::look(&patient),
        clocks::look(&patient),
    );
    [vec![bank], own, parts, broker, books, progress, clocks].concat()
}

/// A table of all findings; below it, what to do about those that need somebody.
fn text(findings: &[Finding], home: &Path) -> String {
    let width = |header: &str, of: &dyn Fn(&Finding) -> usize| {
        let widest = findings.iter().map(of).max().unwrap_or_default();
        widest.max(header.len())
    };
    let check = width("check", &|one| one.check.chars().count());
    let how = width("how", &|one| one.state.word().chars().count());
    let row = |name: &str, word: &str, detail: &str| {
        let line = format!("  {name:<check$}  {word:<how$}  {detail}");
        print::folded(&line, check + how + 6)
    };
    let mut lines = vec![row("check", "how", "what")];
    for one in findings {
        lines.push(row(
            &one.check,
            one.state.word(),
            &print::readable(&one.detail),
        ));
    }
    let wrong: Vec<_> = findings
        .iter()
        .filter(|one| one.state != State::Well)
        .collect();
    lines.push(String::new());
    let (all, of) = (findings.len(), wrong.len());
    if wrong.is_empty() {
        lines.push(format!("All {all} checks are well."));
        return lines.join("\n");
    }
    lines.push(format!("{of} of {all} checks are not well. What to do:"));
    for one in &wrong {
        if let Some(next) = &one.next {
            lines.push(String::new());
            let line = format!("  {}: {}", one.check, print::readable(next));
            lines.push(print::folded(&line, 4));
            if let Some(runbook) = one.runbook {
                let page = format!(
                    "    `{} doctor --runbook {}`",
                    invocation(home),
                    runbook.name()
                );
                lines.push(page);
            }
        }
    }
    lines.join("\n")
}
