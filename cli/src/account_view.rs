//! An account as the commands print it.

use anyhow::{Context as _, Result};
use common::kinds::account::Limits;
use serde::Deserialize as _;
use serde_json::Value;

use crate::print;
use client::Account;

/// Prints an account, or where the request about it stands.
pub(crate) fn show(account: &Value, json: bool) -> Result<()> {
    if json {
        print::json(account)?;
        return Ok(());
    }
    if account["status"] == "pending" {
        print::line(&format!(
            "Account {} is asked for, as request {}.",
            account["account_id"], account["request_seq"]
        ))?;
        return Ok(());
    }
    let account =
        Account::deserialize(account).context("the ledger answered in an unknown form")?;
    let name = print::readable(&account.name.unwrap_or_default());
    print::line(&print::pairs(&[
        ("account", account.account_id.to_string()),
        ("number", account.account_number),
        ("name", name),
        ("owner", print::readable(&account.owner)),
        ("category", account.category),
        (
            "status",
            format!(
                "{}, opened by request {}",
                account.status.replace('_', " "),
                account.opened_seq
            ),
        ),
    ]))?;
    let mut balances =
        print::table(&["currency", "posted", "held", "overdraft limit", "available"]);
    balances.add_row([
        account.currency,
        account.posted,
        account.held,
        account.overdraft_limit,
        account.available,
    ]);
    print::align_right(&mut balances, 1..=4);
    print::line(&format!("\n{}", print::text(balances)))?;
    let notes: Vec<_> = account.metadata.iter().collect();
    if !notes.is_empty() {
        let notes = notes
            .into_iter()
            .map(|(key, text)| format!("{}: {}", print::readable(key), print::readable(text)));
        print::line(&format!("\n{}", notes.collect::<Vec<_>>().join("\n")))?;
    }
    let limits = limits(&account.limits);
    if !limits.is_empty() {
        print::line(&format!("\n{}", print::pairs(&limits)))?;
    }
    Ok(())
}

/// The limits besides the overdraft.
fn limits(limits: &Limits) -> Vec<(&'static str, String)> {
    let count = |count: Option<u32>| count.map(|count| count.to_string());
    let all = [
        ("must stay", limits.minimum_balance.clone()),
        ("at most", limits.maximum_balance.clone()),
        ("a day at most", limits.day_amount_max.clone()),
        ("times a day", count(limits.day_count_max)),
        ("a month at most", limits.month_amount_max.clone()),
        ("times a month", count(limits.month_count_max)),
    ];
    let set = |(name, limit): (&'static str, Option<String>)| Some((name, limit?));
    all.into_iter().filter_map(set).collect()
}
