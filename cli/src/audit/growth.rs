//! `quittance audit check-growth`: has the log only grown since somebody got a receipt?

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use ledger::receipts::document::Receipt;
use ledger::receipts::growth::{Grown, check_growth};
use ledger::receipts::note::PublicKey;

use crate::asking::As;
use crate::bank::Choice;
use crate::names::Person;
use crate::print;

/// Options of `quittance audit check-growth`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// A receipt of this bank that was kept, the older the better
    file: PathBuf,
    /// The public key of the bank's log, `name+id+base64`; without it the key in the receipt
    #[arg(long, value_name = "KEY")]
    key: Option<PublicKey>,
    #[command(flatten)]
    by: As,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(options: &Options, choice: &Choice) -> Result<()> {
    let named = options.file.display();
    let json = fs::read(&options.file).with_context(|| format!("{named} can't be read"))?;
    let wrong = || format!("{named} proves nothing");
    let receipt = Receipt::read(&json).with_context(wrong)?;
    receipt.check(options.key.as_ref()).with_context(wrong)?;
    let key: PublicKey = receipt.key.parse().with_context(wrong)?;
    let kept = key.open(&receipt.checkpoint).with_context(wrong)?;

    let bank = choice.bank()?;
    let client = bank.client();
    let token = options.by.token(&bank, Person::Staff).await?;
    let newest = client.consistency(&token, 1, None).await?;
    let unsigned = "this bank has signed no checkpoint that could be compared";
    let note = newest.checkpoint.context(unsigned)?;
    // What was cut has no proof that could be asked for.
    let proof = if kept.size <= newest.to {
        let proven = client.consistency(&token, kept.size, Some(newest.to));
        proven.await?.proof
    } else {
        Vec::new()
    };
    let grown = check_growth(&receipt.checkpoint, &note, &proof, &key)?;
    if options.json {
        return Ok(print::json(&grown)?);
    }
    Ok(print::line(&text(&grown, options.key.is_some()))?)
}

fn text(grown: &Grown, is_key_given: bool) -> String {
    let facts = print::pairs(&[
        ("kept", format!("{} answers", grown.from)),
        ("now", format!("{} answers", grown.to)),
        ("signed by", print::readable(&grown.key_name)),
    ]);
    let fingerprint = print::folded(&format!("  key  {}", grown.key_fingerprint), 7);
    let said =
        "The log has only grown: it begins with every answer that was signed then, unchanged.";
    let said = print::folded(said, 0);
    let trust = if is_key_given {
        ""
    } else {
        "\n\nThe key is the one in the receipt: compare its fingerprint."
    };
    format!("{said}\n\n{facts}\n{fingerprint}{trust}")
}
