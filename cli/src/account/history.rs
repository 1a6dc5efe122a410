//! `quittance account balance` and `quittance account statement`: an account as it was.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use common::account_number::AccountName;
use serde::Deserialize as _;
use serde_json::Value;

use crate::asking::As;
use crate::bank::Bank;
use crate::failure::{Exit, Hinted as _};
use crate::names::{self, Person, known_account_name, short_account_name};
use crate::print;
use client::{AccountPosting, Balance, Client, Download, Statement};

/// Options of `quittance account balance`.
#[derive(Debug, Args)]
pub(crate) struct BalanceOptions {
    /// The account: its number or id, or ada, grace or cash
    #[arg(value_parser = names::account())]
    account: AccountName,
    /// The day, value dates included [default: today, UTC]
    #[arg(long, value_name = "YYYY-MM-DD")]
    effective: Option<String>,
    /// As it was known at this time, such as 2026-11-23T12:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    recorded: Option<String>,
    #[command(flatten)]
    asked_by: As,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Options of `quittance account statement`.
#[derive(Debug, Args)]
pub(crate) struct StatementOptions {
    /// The account: its number or id, or ada, grace or cash
    #[arg(value_parser = names::account())]
    account: AccountName,
    /// The first day [default: the first of the account's history]
    #[arg(long, value_name = "YYYY-MM-DD")]
    from: Option<String>,
    /// The last day [default: today, UTC]
    #[arg(long, value_name = "YYYY-MM-DD")]
    to: Option<String>,
    /// The order, and what belongs to a day
    #[arg(long, value_enum, default_value_t = By::Booked)]
    by: By,
    /// As it was known at this time [default: now]
    #[arg(long, value_name = "TIME")]
    recorded: Option<String>,
    /// What it is written as; all but the table are whole statements
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Write it into this file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Lines of the table at most
    #[arg(long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Where a table before this one says that it goes on
    #[arg(long)]
    cursor: Option<String>,
    #[command(flatten)]
    asked_by: As,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// The day it was booked
    Booked,
    /// Its value date
    Effective,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Lines to read
    Table,
    /// One document
    Json,
    /// For spreadsheets
    Csv,
    /// ISO 20022, for accounting programs
    #[value(name = "camt.053")]
    Camt053,
}

pub(crate) async fn balance(options: BalanceOptions, bank: &Bank) -> Result<()> {
    let client = bank.client();
    let token = options.asked_by.token(bank, Person::Staff).await?;
    let mut query = Vec::new();
    query.extend(options.effective.map(|day| ("effective", day)));
    query.extend(options.recorded.map(|time| ("recorded", time)));
    let found = client.balance(&token, options.account, &query).await;
    let found: Value = not_to_be_seen(found, options.account)?;
    if options.json {
        print::json(&found)?;
        return Ok(());
    }
    let found = Balance::deserialize(&found).context("the ledger answered in an unknown form")?;
    print::line(&print::pairs(&[
        ("account", found.account_id.to_string()),
        ("balance", format!("{} {}", found.balance, found.currency)),
        ("at the end of", found.effective.to_string()),
        ("as known at", found.recorded.to_rfc3339()),
        ("last request", found.seq.to_string()),
    ]))?;
    Ok(())
}

/// The same words as `account show` has.
fn not_to_be_seen<T>(found: client::Result<T>, account: AccountName) -> Result<T> {
    match found {
        Err(error) if error.is_not_found() => Err(error)
            .with_context(|| format!("there is no account {account} to be seen"))
            .exit(Exit::NotFound)
            .hint("customers see their own accounts only; `--as staff` sees all"),
        other => Ok(other?),
    }
}

pub(crate) async fn statement(options: StatementOptions, bank: &Bank) -> Result<()> {
    let client = bank.client();
    let token = options.asked_by.token(bank, Person::Staff).await?;
    let mut query = Vec::new();
    query.extend(options.from.clone().map(|day| ("from", day)));
    query.extend(options.to.clone().map(|day| ("to", day)));
    query.extend(options.recorded.clone().map(|time| ("recorded", time)));
    if options.by == By::Effective {
        query.push(("by", "effective".to_owned()));
    }
    let format = match options.format {
        _ if options.json => "json",
        Format::Json => "json",
        Format::Csv => "csv",
        Format::Camt053 => "camt.053",
        Format::Table => return table(&options, &client, &token, query).await,
    };
    let download = client.download_statement(&token, options.account, format, &query);
    let mut download = not_to_be_seen(download.await, options.account)?;
    let Some(file) = &options.output else {
        while let Some(piece) = download.piece().await? {
            io::stdout().write_all(&piece)?;
        }
        return Ok(());
    };
    save(&mut download, file).await
}

/// Writes a download into a file. One that breaks off must not look like a whole one.
pub(crate) async fn save(download: &mut Download, file: &Path) -> Result<()> {
    let part = file.with_added_extension("part");
    let writing = || format!("cannot write {}", part.display());
    let mut writer = File::create(&part).with_context(writing)?;
    while let Some(piece) = download.piece().await? {
        writer.write_all(&piece).with_context(writing)?;
    }
    writer.sync_all().with_context(writing)?;
    fs::rename(&part, file).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(())
}

async fn table(
    options: &StatementOptions,
    client: &Client,
    token: &str,
    mut query: Vec<(&'static str, String)>,
) -> Result<()> {
    query.push(("limit", options.limit.to_string()));
    query.extend(options.cursor.clone().map(|cursor| ("cursor", cursor)));
    let found = client.statement(token, options.account, &query).await;
    let found: Statement = not_to_be_seen(found, options.account)?;
    let text = text(&found);
    match &options.output {
        Some(file) => write_file(file, &text)?,
        None => print::line(&text)?,
    }
    Ok(())
}

fn write_file(file: &Path, text: &str) -> Result<()> {
    let written = fs::write(file, format!("{text}\n"));
    written.with_context(|| format!("cannot write {}", file.display()))
}

fn text(found: &Statement) -> String {
    let currency = &found.currency;
    let head = print::pairs(&[
        ("account", found.account_id.to_string()),
        ("number", found.account_number.clone()),
        (
            "days",
            format!("{} to {}, {}", found.from, found.to, order(&found.by)),
        ),
        ("opening", format!("{} {currency}", found.opening_balance)),
        ("closing", format!("{} {currency}", found.closing_balance)),
        (
            "postings",
            format!("{}, up to request {}", found.count, found.seq),
        ),
    ]);
    if found.postings.is_empty() {
        return head;
    }
    let header = ["booked", "value", "other", "amount", "balance", "reference"];
    let rows = |other: fn(&AccountPosting) -> String| -> Vec<[String; 6]> {
        let lines = found.postings.iter();
        lines
            .map(|line| row(line, other(line), &found.category))
            .collect()
    };
    let mut lines = rows(other_in_full);
    if room(&header, &lines) < header[5].len() {
        lines = rows(other_in_short);
    }
    fit(&header, &mut lines);
    let mut table = print::table(&header);
    for line in lines {
        table.add_row(line);
    }
    print::align_right(&mut table, 3..=4);
    let mut text = format!("{head}\n\n{}", print::text(table));
    if let Some(cursor) = found.cursor() {
        text += &format!("\n\nMore: the same with `--cursor {cursor}`.");
    }
    text
}

fn order(by: &str) -> &'static str {
    match by {
        "effective" => "by value date",
        _ => "by booking",
    }
}

/// The other account in a form that every command takes.
fn other_in_full(line: &AccountPosting) -> String {
    let known = line.counterparty.and_then(known_account_name);
    let name = known.or(line.counterparty_number.as_deref());
    name.map_or_else(|| other_in_short(line), str::to_owned)
}

fn other_in_short(line: &AccountPosting) -> String {
    line.counterparty
        .map(short_account_name)
        .unwrap_or_default()
}

fn row(line: &AccountPosting, other: String, category: &str) -> [String; 6] {
    let grows = match category {
        "asset" | "expense" => "debit",
        _ => "credit",
    };
    let sign = if line.direction == grows { '+' } else { '-' };
    let booked = line.booked_at.date_naive();
    let value = (line.effective_date != booked).then_some(line.effective_date);
    [
        booked.to_string(),
        value.map(|day| day.to_string()).unwrap_or_default(),
        other,
        format!("{sign}{}", line.amount),
        line.balance.clone(),
        print::readable(line.reference.as_deref().unwrap_or_default()),
    ]
}

/// How wide a reference may be, so that the lines fit a terminal.
fn room(header: &[&str; 6], rows: &[[String; 6]]) -> usize {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        let widest = cells.max().unwrap_or_default();
        widest.max(header[column].len()) + 2
    };
    let used: usize = (0..5).map(width).sum();
    print::WIDTH.saturating_sub(used + 2)
}

/// Shortens the references to that.
fn fit(header: &[&str; 6], rows: &mut [[String; 6]]) {
    let room = room(header, rows).max(header[5].len());
    for row in rows {
        let reference = &mut row[5];
        if reference.chars().count() > room {
            let kept: String = reference.chars().take(room - 1).collect();
            *reference = kept + "…";
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The text of a statement with one posting, which names the other account by its number.
    fn statement(amount: &str, reference: &str) -> String {
        let posting = json!({
            "number": 1, "request_seq": 9, "direction": "credit", "amount": amount, "balance": amount,
            "booked_at": "2026-11-23T12:00:00Z", "effective_date": "2026-02-03", "payment_id": null,
            "client_id": null, "counterparty": "01900000-aaaa-7000-8000-00000000abcd",
            "reference": reference, "counterparty_number": "QT14000000000002",
        });
        let found = json!({
            "account_id": "01900000-aaaa-7000-8000-000000000001", "account_number": "QT41000000000001",
            "name": null, "category": "liability", "currency": "EUR", "by": "booked",
            "from": "2026-01-01", "to": "2026-11-23", "seq": 9, "opening_balance": "0.00",
            "closing_balance": amount, "count": 1, "postings": [posting], "next": null,
        });
        text(&serde_json::from_value(found).unwrap())
    }

    #[test]
    fn a_line_names_the_other_account_by_its_number_where_80_columns_have_room() {
        for (amount, other) in [
            ("1.00", "  QT14000000000002  "),
            ("123456789.00", "  …abcd  "),
        ] {
            let text = statement(amount, &"Rent ".repeat(20));
            assert!(text.contains(other), "{text}");
            let widths = text.lines().map(|line| line.chars().count());
            assert!(widths.max() <= Some(print::WIDTH), "{text}");
        }
    }
}
