//! `quittance audit`: [`replay`] decides the whole log again, into empty books, and compares everything; [`export`] writes
//! the log to a file, so that somebody without a broker can do that; [`verify`] looks whether the books hold together;
//! [`receipt`] gets and checks the proof of a single answer, [`growth`] the proof that nothing before it was changed; [`events`] shows what people and programs did.

mod events;
mod export;
mod growth;
mod receipt;
mod replay;
mod verify;

use anyhow::Result;
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};

use crate::bank::Choice;

pub(crate) use replay::{replay, summary_text};

/// What to check.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Decide every request again from the first one on; compare each answer, each balance and the hash chain
    Replay(replay::Options),
    /// Check the books against themselves and against the published answers, without deciding anything again
    Verify(verify::Options),
    /// Write the log to one file, which `replay` accepts: whoever audits it needs no broker
    Export(export::Options),
    /// Get the receipt of an answer: the proof that it is in the log
    Receipt(receipt::Get),
    /// Check a receipt; it takes neither a bank nor a network
    CheckReceipt(receipt::Check),
    /// Check that the log has only grown since a receipt was got: nothing in it was changed or taken out
    CheckGrowth(growth::Options),
    /// Show what people and programs did, the newest first: logins, failed ones too, who changed what, replays and files
    Events(events::Events),
}

/// An error, and so exit code 1, when something differs.
pub(crate) async fn run(command: &Command, choice: &Choice) -> Result<()> {
    let home = |command: &str, needs: &str| choice.home_for(&format!("audit {command}"), needs);
    match command {
        Command::Replay(options) if options.needs_no_bank() => {
            replay::run(options, &choice.home()?).await
        }
        Command::Replay(options) => {
            let home = home("replay", "the broker and the books")?;
            replay::run(options, &home).await
        }
        Command::Verify(options) => {
            let home = home("verify", "the broker and the books")?;
            verify::run(options, &home).await
        }
        Command::Export(options) => {
            let home = home("export", "the broker")?;
            export::run(options, &home).await
        }
        Command::Receipt(options) => receipt::get(options, &choice.bank()?).await,
        Command::CheckReceipt(options) => receipt::check(options),
        Command::CheckGrowth(options) => growth::run(options, choice).await,
        Command::Events(options) => events::run(options, &choice.bank()?).await,
    }
}

/// A bar that says how far it is, how fast it goes and how long it will take.
fn bar(doing: &str, things: &'static str, is_hidden: bool) -> ProgressBar {
    if is_hidden {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(&format!(
        "  {doing} {{bar:30}} {{human_pos}}/{{human_len}} {{msg}}, {{per_sec:.0}}, {{eta}} left"
    ));
    ProgressBar::new(0)
        .with_style(style.expect("the template is a constant"))
        .with_message(things)
}

/// Moves a bar.
fn moving(bar: &ProgressBar) -> impl FnMut(u64, u64) {
    |at, of| {
        bar.set_length(of);
        bar.set_position(at);
    }
}
