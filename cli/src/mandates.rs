//! `quittance mandates`: whom somebody lets pay in their name.

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use common::account_number::AccountName;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::asking::Asking;
use crate::bank::Bank;
use crate::clients::{maxima, maximum};
use crate::names::{self, Person};
use crate::print;

/// What to do with mandates.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the mandates that stand
    List(Asking),
    /// Let a program pay, until the mandate ends
    Give(Give),
    /// End a mandate, and every token under it
    End(End),
}

/// Options of `quittance mandates give`.
#[derive(Debug, Args)]
pub(crate) struct Give {
    /// Which program: a service account, or payments, which makes scheduled payments
    client_id: String,
    /// The most that one payment may move, such as EUR=250.00
    #[arg(long, value_name = "CURRENCY=AMOUNT", value_parser = maximum)]
    payment_max: Vec<(String, String)>,
    /// The only accounts that it may debit
    #[arg(long = "account", value_name = "ACCOUNT", value_parser = names::account())]
    accounts: Vec<AccountName>,
    /// It ends by itself then (RFC 3339)
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
    #[command(flatten)]
    giver: Asking,
}

/// Options of `quittance mandates end`.
#[derive(Debug, Args)]
pub(crate) struct End {
    /// Which: `quittance mandates list` tells
    #[arg(value_name = "UUID")]
    id: Uuid,
    #[command(flatten)]
    giver: Asking,
}

pub(crate) async fn run(command: Command, bank: &Bank) -> Result<()> {
    let client = bank.client();
    let token = async |giver: &Asking| giver.by.token(bank, Person::Ada).await;
    match command {
        Command::List(giver) => {
            let mandates = client.mandates(&token(&giver).await?).await?;
            if giver.json {
                return Ok(print::json(&mandates)?);
            }
            let mandates = mandates["mandates"].as_array();
            show(mandates.context("auth answered in an unknown form")?)
        }
        Command::Give(asked) => {
            let token = token(&asked.giver).await?;
            let accounts = names::account_ids(&asked.accounts, &client, &token).await?;
            let mandate = json!({
                "client_id": asked.client_id,
                "payment_max": maxima(&asked.payment_max)?,
                "accounts": (!accounts.is_empty()).then_some(&accounts),
                "expires_at": asked.expires_at,
            });
            let given = client.give_mandate(&token, &mandate).await?;
            if asked.giver.json {
                return Ok(print::json(&given)?);
            }
            show(&[given])
        }
        Command::End(asked) => {
            let token = token(&asked.giver).await?;
            client.end_mandate(&token, asked.id).await?;
            Ok(print::line("Ended it, and every token under it.")?)
        }
    }
}

fn show(mandates: &[Value]) -> Result<()> {
    if mandates.is_empty() {
        return Ok(print::line("No mandates stand.")?);
    }
    let word = |value: &Value| print::readable(value.as_str().unwrap_or_default());
    let mut table = print::table(&["mandate", "program", "at most", "until"]);
    for mandate in mandates {
        let maxima = mandate["payment_max"].as_object().into_iter().flatten();
        let maxima: Vec<_> = maxima
            .map(|(currency, amount)| format!("{} {currency}", word(amount)))
            .collect();
        let until = word(&mandate["expires_at"]);
        table.add_row([
            word(&mandate["id"]),
            word(&mandate["client_id"]),
            maxima.join(", "),
            until.get(..16).unwrap_or("it is ended").replace('T', " "),
        ]);
    }
    Ok(print::line(&print::text(table))?)
}
