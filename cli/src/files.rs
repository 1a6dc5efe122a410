//! `quittance file`: statements and parts of the log as files, which the ledger makes in the background.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use client::{Client, KeptFile, KeptFiles};
use common::account_number::AccountName;
use serde::Deserialize as _;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::account::save;
use crate::asking::As;
use crate::bank::Bank;
use crate::failure::{Exit, Hinted as _};
use crate::names::{self, Person};
use crate::print;

/// From one look at a file that is made to the next.
const LOOK_PAUSE: Duration = Duration::from_millis(200);

/// What to do with files.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Have a statement made, and wait until it is
    Statement(Statement),
    /// Have a part of the log made, a line of JSON for each request, and wait until it is
    Log(Log),
    /// List one's files, the newest first
    List(Common),
    /// Write what a file holds to standard output, or into a file
    Get(Get),
    /// Delete a file before its time
    Delete(Delete),
}

/// What all have.
#[derive(Debug, Args)]
pub(crate) struct Common {
    #[command(flatten)]
    by: As,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Options of `quittance file statement`.
#[derive(Debug, Args)]
pub(crate) struct Statement {
    /// The account: its id, or ada, grace or cash
    #[arg(value_parser = names::account())]
    account: AccountName,
    /// What it is written as
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// The first day [default: the first of the account's history]
    #[arg(long, value_name = "YYYY-MM-DD")]
    from: Option<String>,
    /// The last day [default: today, UTC]
    #[arg(long, value_name = "YYYY-MM-DD")]
    to: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// For spreadsheets
    Csv,
    /// ISO 20022, for accounting programs
    #[value(name = "camt.053")]
    Camt053,
}

/// Options of `quittance file log`.
#[derive(Debug, Args)]
pub(crate) struct Log {
    /// The first request [default: 1]
    #[arg(long, value_name = "SEQ")]
    from: Option<u64>,
    /// The last request [default: the last that is decided]
    #[arg(long, value_name = "SEQ")]
    to: Option<u64>,
    #[command(flatten)]
    common: Common,
}

/// Options of `quittance file get`.
#[derive(Debug, Args)]
pub(crate) struct Get {
    /// The file's id
    id: Uuid,
    /// Write it into this file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// Options of `quittance file delete`.
#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// The file's id
    id: Uuid,
    #[command(flatten)]
    common: Common,
}

pub(crate) async fn run(command: Command, bank: &Bank) -> Result<()> {
    let client = bank.client();
    let common = match &command {
        Command::List(common) => common,
        Command::Statement(options) => &options.common,
        Command::Log(options) => &options.common,
        Command::Get(options) => &options.common,
        Command::Delete(options) => &options.common,
    };
    let token = common.by.token(bank, Person::Staff).await?;
    match &command {
        Command::List(common) => list(&client, &token, common.json).await,
        Command::Statement(options) => {
            let format = options.format.to_possible_value();
            let format = format.context("each has a name")?;
            let account_id = names::account_id(options.account, &client, &token).await?;
            let mut wanted = json!({
                "kind": "statement", "account_id": account_id, "format": format.get_name(),
            });
            for (name, day) in [("from", &options.from), ("to", &options.to)] {
                if let Some(day) = day {
                    wanted[name] = day.as_str().into();
                }
            }
            make(&client, &token, &wanted, options.common.json).await
        }
        Command::Log(options) => {
            let mut wanted = json!({"kind": "log"});
            for (name, seq) in [("from", options.from), ("to", options.to)] {
                if let Some(seq) = seq {
                    wanted[name] = seq.into();
                }
            }
            make(&client, &token, &wanted, options.common.json).await
        }
        Command::Get(options) => get(&client, &token, options).await,
        Command::Delete(options) => {
            let id = options.id;
            not_found(client.delete_file(&token, id).await, id)?;
            if options.common.json {
                print::json(&json!({"id": id, "deleted": true}))?;
            } else {
                print::line(&format!("File {id} is deleted."))?;
            }
            Ok(())
        }
    }
}

/// The same words for one that never was and one that is gone.
fn not_found<T>(found: client::Result<T>, id: Uuid) -> Result<T> {
    match found {
        Err(error) if error.is_not_found() => Err(error)
            .with_context(|| format!("this caller has no file {id}"))
            .exit(Exit::NotFound)
            .hint("a file is gone after its time; `file list` shows those that are there"),
        other => Ok(other?),
    }
}

async fn make(client: &Client, token: &str, wanted: &Value, json: bool) -> Result<()> {
    let mut file = client.ask_file(token, wanted).await?;
    let id: Uuid =
        Uuid::deserialize(&file["id"]).context("the ledger answered in an unknown form")?;
    while file["state"] == "making" {
        tokio::time::sleep(LOOK_PAUSE).await;
        let found = client.file(token, id).await?;
        file = found.context("somebody deleted the file")?;
    }
    if json {
        return Ok(print::json(&file)?);
    }
    let file = KeptFile::deserialize(file).context("the ledger answered in an unknown form")?;
    if file.state != "ready" {
        bail!(
            "{} was not made: {}",
            file.file_name,
            file.detail.unwrap_or_default()
        );
    }
    print::line(&format!(
        "{}\nhas {} bytes, and is kept until {}.\nGet it with `quittance file get {id}`.",
        file.file_name,
        file.bytes.unwrap_or_default(),
        file.gone_at.format("%Y-%m-%d %H:%M UTC"),
    ))?;
    Ok(())
}

async fn list(client: &Client, token: &str, json: bool) -> Result<()> {
    let found: Value = client.files(token).await?;
    if json {
        return Ok(print::json(&found)?);
    }
    let found = KeptFiles::deserialize(found).context("the ledger answered in an unknown form")?;
    if found.files.is_empty() {
        return Ok(print::line("No files.")?);
    }
    let mut table = print::table(&["file", "state", "bytes", "gone at (UTC)"]);
    for file in &found.files {
        table.add_row([
            file.id.to_string(),
            file.state.clone(),
            file.bytes
                .map(|bytes| bytes.to_string())
                .unwrap_or_default(),
            file.gone_at.format("%Y-%m-%d %H:%M").to_string(),
        ]);
    }
    print::align_right(&mut table, 2..=2);
    Ok(print::line(&print::text(table))?)
}

async fn get(client: &Client, token: &str, options: &Get) -> Result<()> {
    let found = client.download_file(token, options.id, None).await;
    let mut download = not_found(found, options.id)?;
    if let Some(file) = &options.output {
        return save(&mut download, file).await;
    }
    while let Some(piece) = download.piece().await? {
        io::stdout().write_all(&piece)?;
    }
    Ok(())
}
