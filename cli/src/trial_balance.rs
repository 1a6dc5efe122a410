//! `quittance trial-balance`: all accounts by currency and category, now or as they were.

use anyhow::{Context as _, Result};
use clap::Args;
use serde::Deserialize as _;
use serde_json::Value;

use crate::asking::As;
use crate::bank::Bank;
use crate::names::Person;
use crate::print;
use client::TrialBalance;

/// What to show.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// As the books were at this time, such as 2026-11-23T12:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    #[command(flatten)]
    by: As,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(options: &Options, bank: &Bank) -> Result<()> {
    let client = bank.client();
    let token = options.by.token(bank, Person::Staff).await?;
    let found: Value = client
        .trial_balance(&token, options.as_of.as_deref())
        .await?;
    if options.json {
        print::json(&found)?;
        return Ok(());
    }
    let found =
        TrialBalance::deserialize(&found).context("the ledger answered in an unknown form")?;
    let mut table = print::table(&["currency", "category", "accounts", "debit", "credit"]);
    for currency in &found.currencies {
        for category in &currency.categories {
            let is_debit = matches!(category.category.as_str(), "asset" | "expense");
            let sum = category.sum.clone();
            let (debit, credit) = if is_debit {
                (sum, String::new())
            } else {
                (String::new(), sum)
            };
            table.add_row([
                currency.currency.clone(),
                category.category.clone(),
                category.accounts.to_string(),
                debit,
                credit,
            ]);
        }
        table.add_row([
            currency.currency.clone(),
            "all".to_owned(),
            String::new(),
            currency.debit.clone(),
            currency.credit.clone(),
        ]);
    }
    print::align_right(&mut table, 2..=4);
    let verdict = if found
        .currencies
        .iter()
        .all(client::CurrencyBalance::is_zero)
    {
        "Debits and credits are equal".to_owned()
    } else {
        "DEBITS AND CREDITS DIFFER".to_owned()
    };
    let when = found.as_of.map_or_else(
        || format!("after request {}", found.seq),
        |as_of| format!("at {}, after request {}", as_of.to_rfc3339(), found.seq),
    );
    if found.currencies.is_empty() {
        print::line(&format!("There was no account, {when}."))?;
        return Ok(());
    }
    print::line(&format!("{}\n\n{verdict}, {when}.", print::text(table)))?;
    Ok(())
}
