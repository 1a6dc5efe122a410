//! `quittance account freeze|unfreeze|close|limit|holds`: what bank staff do with an account, and what is held on one.

use std::str::FromStr;

use anyhow::Result;
use clap::Args;
use common::account_number::AccountName;
use common::kinds::account::{Limits, Side};
use serde_json::Value;

use crate::account_view::show;
use crate::asking::As;
use crate::bank::Bank;
use crate::names::{self, Person, short_account_name};
use crate::print;
use client::{Account, Control};

/// Options of `quittance account close`.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// The account: its number or id, or ada, grace or cash
    #[arg(value_parser = names::account())]
    account: AccountName,
    #[command(flatten)]
    by: As,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Options of `quittance account freeze` and `unfreeze`.
#[derive(Debug, Args)]
pub(crate) struct Sided {
    #[command(flatten)]
    one: One,
    /// Which side
    #[arg(long, value_enum, default_value_t = Side::Both)]
    side: Side,
}

/// Options of `quittance account limit`.
#[derive(Debug, Args)]
pub(crate) struct Limit {
    #[command(flatten)]
    one: One,
    /// How far below zero its balance may go; `none` for not at all
    #[arg(long, value_name = "AMOUNT")]
    overdraft_limit: Option<String>,
    /// What must stay on it
    #[arg(long, value_name = "AMOUNT")]
    minimum_balance: Option<String>,
    /// The most that it may hold
    #[arg(long, value_name = "AMOUNT")]
    maximum_balance: Option<String>,
    /// The most that may leave it on one day (UTC)
    #[arg(long, value_name = "AMOUNT")]
    day_amount_max: Option<String>,
    /// How many times something may leave it on one day
    #[arg(long, value_name = "N")]
    day_count_max: Option<Count>,
    /// The most that may leave it in one month
    #[arg(long, value_name = "AMOUNT")]
    month_amount_max: Option<String>,
    /// How many times something may leave it in one month
    #[arg(long, value_name = "N")]
    month_count_max: Option<Count>,
}

/// A whole number, or `none`.
#[derive(Debug, Clone, Copy)]
struct Count(Option<u32>);

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        let number = text.parse().map(Some).map(Self);
        number.map_err(|_| "give a whole number, or `none` to take the limit away".to_owned())
    }
}

/// Options of `quittance account holds`.
#[derive(Debug, Args)]
pub(crate) struct Holds {
    #[command(flatten)]
    one: One,
}

pub(crate) async fn freeze(asked: Sided, bank: &Bank) -> Result<()> {
    control(&asked.one, &Control::Freeze(asked.side), bank).await
}

pub(crate) async fn unfreeze(asked: Sided, bank: &Bank) -> Result<()> {
    control(&asked.one, &Control::Unfreeze(asked.side), bank).await
}

pub(crate) async fn close(asked: One, bank: &Bank) -> Result<()> {
    control(&asked, &Control::Close, bank).await
}

/// Changes the limits that are named and keeps the others.
pub(crate) async fn limit(asked: Limit, bank: &Bank) -> Result<()> {
    let client = bank.client();
    let token = asked.one.by.token(bank, Person::Staff).await?;
    let account = client.account::<Account>(&token, asked.one.account).await?;
    let now = account.map(|account| account.limits).unwrap_or_default();
    let text = |new: Option<String>, now: Option<String>| match new {
        Some(new) if new == "none" => None,
        Some(new) => Some(new),
        None => now,
    };
    let count = |new: Option<Count>, now: Option<u32>| match new {
        Some(Count(new)) => new,
        None => now,
    };
    let limits = Limits {
        overdraft_limit: text(asked.overdraft_limit, now.overdraft_limit),
        minimum_balance: text(asked.minimum_balance, now.minimum_balance),
        maximum_balance: text(asked.maximum_balance, now.maximum_balance),
        day_amount_max: text(asked.day_amount_max, now.day_amount_max),
        day_count_max: count(asked.day_count_max, now.day_count_max),
        month_amount_max: text(asked.month_amount_max, now.month_amount_max),
        month_count_max: count(asked.month_count_max, now.month_count_max),
    };
    control(&asked.one, &Control::Limit(limits), bank).await
}

async fn control(asked: &One, control: &Control, bank: &Bank) -> Result<()> {
    let client = bank.client();
    let token = asked.by.token(bank, Person::Staff).await?;
    let done = client.control(&token, asked.account, control).await?;
    show(&done.body, asked.json)
}

/// Prints what is held on an account.
pub(crate) async fn holds(asked: Holds, bank: &Bank) -> Result<()> {
    let client = bank.client();
    let token = asked.one.by.token(bank, Person::Staff).await?;
    let id = asked.one.account;
    if asked.one.json {
        let list: Value = client.holds(&token, id, &[]).await?;
        print::json(&list)?;
        return Ok(());
    }
    let list: client::AccountHolds = client.holds(&token, id, &[]).await?;
    if list.holds.is_empty() {
        print::line("Nothing is held.")?;
        return Ok(());
    }
    let mut table = print::table(&["hold", "for", "held", "of", "until"]);
    for hold in &list.holds {
        let end = hold.expires_at.map(|end| end.format("%Y-%m-%d %H:%M"));
        table.add_row([
            hold.hold_id.to_string(),
            short_account_name(hold.creditor_account),
            hold.remaining.clone(),
            hold.amount.clone(),
            end.map_or_else(|| "–".to_owned(), |end| end.to_string()),
        ]);
    }
    print::align_right(&mut table, 2..=3);
    print::line(&print::text(table))?;
    Ok(())
}
