//! Banks elsewhere: `quittance login`, `logout` and `banks`, and the files that make later commands reach them.

pub(crate) mod files;
mod kept;
mod log_in;
mod log_out;
pub(crate) mod session;

use anyhow::{Result, anyhow};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::bank::{Bank, Choice};
use crate::failure::{self, Exit, Hinted as _, warn};
use crate::print;
use crate::running::program;

use files::{Files, parse_name};
use kept::KeptBank;

pub(crate) use log_in::{LogIn, run as log_in};
pub(crate) use log_out::{LogOut, run as log_out};

/// Options of `quittance banks`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What to do with the banks that one is logged in to.
#[derive(Debug, Subcommand)]
enum Command {
    /// Have commands ask this bank when `--bank` names none, on a machine that has no bank of its own
    Use {
        /// Which
        #[arg(value_parser = parse_name)]
        name: String,
    },
}

pub(crate) fn run(options: &Options, choice: &Choice) -> Result<()> {
    let files = Files::of_user()?;
    match &options.command {
        Some(Command::Use { name }) => {
            if !files.names()?.contains(name) {
                return Err(anyhow!("no bank is called {name}"))
                    .exit(Exit::NotFound)
                    .hint(format!("`{} banks` shows them all", program()));
            }
            files.set_in_use(Some(name))?;
            Ok(print::line(&format!("{name} is in use."))?)
        }
        None => list(&files, choice, options.json),
    }
}

fn list(files: &Files, choice: &Choice, is_json: bool) -> Result<()> {
    let in_use = files.in_use();
    let mut banks: Vec<(String, KeptBank)> = Vec::new();
    for name in files.names()? {
        match files.read(&name) {
            Ok(kept) => banks.extend(kept.map(|kept| (name, kept))),
            Err(error) => warn(failure::text(&error).trim_start_matches("error: ")),
        }
    }
    let is_in_use = |name: &str| in_use.as_deref() == Some(name);
    if is_json {
        let banks = banks.iter().map(|(name, kept)| {
            json!({
                "name": name, "url": kept.url, "who": kept.name_of_who(), "ends_at": kept.ends_at(),
                "in_use": is_in_use(name),
            })
        });
        return Ok(print::json(&json!({"banks": banks.collect::<Vec<_>>()}))?);
    }
    if banks.is_empty() {
        let program = program();
        print::line(&format!(
            "You are logged in to no bank elsewhere. `{program} login URL` logs in."
        ))?;
    } else {
        let mut table = print::table(&["", "bank", "who", "used by (UTC)", "where"]);
        for (name, kept) in &banks {
            let end = kept.ends_at().map(|end| end.format("%Y-%m-%d %H:%M"));
            table.add_row([
                if is_in_use(name) { "*" } else { "" }.to_owned(),
                name.clone(),
                print::readable(kept.name_of_who()),
                end.map_or_else(|| "–".to_owned(), |end| end.to_string()),
                print::readable(&kept.url),
            ]);
        }
        print::line(&print::text(table))?;
    }
    // Which bank a command would ask is the question behind this one.
    match choice.bank() {
        Ok(Bank::Here(running)) => print::line(&format!(
            "\nCommands ask the bank on this machine, in {}.",
            running.home.display()
        ))?,
        Ok(Bank::Elsewhere(there)) => {
            print::line(&format!("\nCommands ask {}, at {}.", there.name, there.url))?;
        }
        Err(_) => {}
    }
    Ok(())
}
