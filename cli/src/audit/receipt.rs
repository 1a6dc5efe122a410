//! `quittance audit receipt` gets a receipt from the bank; `audit check-receipt` checks one without it.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use ledger::receipts::document::{Proven, Receipt};
use ledger::receipts::note::PublicKey;

use crate::asking::As;
use crate::bank::Bank;
use crate::failure::{Exit, Hinted as _};
use crate::names::Person;
use crate::print;

/// Options of `quittance audit receipt`.
#[derive(Debug, Args)]
pub(crate) struct Get {
    /// The place of the request in the log: its `request_seq`
    #[arg(value_name = "SEQ", value_parser = clap::value_parser!(u64).range(1..))]
    seq: u64,
    #[command(flatten)]
    by: As,
    /// Write it to this file instead of printing it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) async fn get(options: &Get, bank: &Bank) -> Result<()> {
    let client = bank.client();
    let token = options.by.token(bank, Person::Staff).await?;
    let seq = options.seq;
    let receipt = client
        .receipt(&token, seq)
        .await?
        .with_context(|| format!("this caller sees no answer {seq} in the log"))
        .exit(Exit::NotFound)?;
    let Some(file) = &options.out else {
        return Ok(print::json(&receipt)?);
    };
    let text = serde_json::to_string_pretty(&receipt)? + "\n";
    fs::write(file, text).with_context(|| format!("{} can't be written", file.display()))?;
    let named = file.display();
    Ok(print::line(&format!(
        "The receipt of request {seq} is in {named}."
    ))?)
}

/// Options of `quittance audit check-receipt`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The receipt
    file: PathBuf,
    /// The public key of the bank's log, `name+id+base64`. Without it the key in the receipt is believed: compare its
    /// fingerprint with the one that the bank publishes
    #[arg(long, value_name = "KEY")]
    key: Option<PublicKey>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Needs neither a bank nor a network.
pub(super) fn check(options: &Check) -> Result<()> {
    let named = options.file.display();
    let json = fs::read(&options.file).with_context(|| format!("{named} can't be read"))?;
    let receipt = Receipt::read(&json).with_context(|| format!("{named} proves nothing"))?;
    let proven = receipt.check(options.key.as_ref());
    let proven = proven.with_context(|| format!("{named} proves nothing"))?;
    if options.json {
        return Ok(print::json(&proven)?);
    }
    Ok(print::line(&text(&proven)?)?)
}

fn text(proven: &Proven) -> Result<String> {
    let facts = print::pairs(&[
        ("request", proven.request_seq.to_string()),
        ("at", proven.published_at.to_rfc3339()),
        ("in the log of", format!("{} answers", proven.tree_size)),
        ("signed by", print::readable(&proven.key_name)),
    ]);
    let answer = serde_json::to_string_pretty(&proven.answer)?;
    let trust = if proven.key_given {
        "It is the key that you gave."
    } else {
        "The key is the one in the receipt. Compare its fingerprint with the one that the bank\npublishes, or give the key with `--key`."
    };
    let fingerprint = print::folded(&format!("  key  {}", proven.key_fingerprint), 7);
    Ok(format!(
        "The receipt is right: this answer is in the signed log.\n\n{answer}\n\n{facts}\n{fingerprint}\n\n{trust}"
    ))
}
