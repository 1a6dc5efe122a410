//! `quittance payment`: shows payments and what became of them.

mod shown;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand, ValueEnum};
use common::ids::{AccountId, PaymentId};
use serde::Deserialize;
use serde_json::Value;

use crate::asking::As;
use crate::bank::Bank;
use crate::failure::{Exit, Hinted as _};
use crate::names::{self, Person, short_account_name};
use crate::print;
use client::Client;
use shown::shown;

/// What to do with payments.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show a payment and what became of it
    Show(Show),
    /// List the payments of one client, newest first
    List(List),
    /// Print what the ledger answered to a request, as JSON
    Answer(Answer),
}

/// Options of `quittance payment show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The payment's id
    payment_id: PaymentId,
    #[command(flatten)]
    by: As,
    /// Whose payment: staff, ada, grace, shop, or a client's id; for staff, when several have this id
    #[arg(long, value_name = "CLIENT")]
    client_id: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Options of `quittance payment list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    by: As,
    /// Whose payments: staff, ada, grace, shop, or a client's id [default: those of --as]
    #[arg(long, value_name = "CLIENT")]
    client_id: Option<String>,
    /// Only these
    #[arg(long, value_enum)]
    status: Option<Status>,
    /// How many at most
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u32).range(1..=100))]
    limit: u32,
    /// Only requests before this one
    #[arg(long, value_name = "SEQ")]
    before: Option<u64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Options of `quittance payment answer`.
#[derive(Debug, Args)]
pub(crate) struct Answer {
    /// The place of the request in the log
    seq: u64,
    #[command(flatten)]
    by: As,
}

/// Where a payment stands.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Status {
    Pending,
    Settled,
    Rejected,
    Authorised,
    Captured,
    Voided,
    Reversed,
    Expired,
}

/// A payment of a list.
#[derive(Debug, Deserialize)]
struct Listed {
    payment_id: String,
    request_seq: u64,
    kind: String,
    status: String,
    debtor_account: Option<AccountId>,
    creditor_account: Option<AccountId>,
    amount: Option<String>,
    currency: Option<String>,
}

pub(crate) async fn run(command: Command, bank: &Bank) -> Result<()> {
    match command {
        Command::Show(options) => show(&options, bank).await,
        Command::List(options) => list(&options, bank).await,
        Command::Answer(options) => answer(&options, bank).await,
    }
}

async fn answer(options: &Answer, bank: &Bank) -> Result<()> {
    let token = options.by.token(bank, Person::Staff).await?;
    let answer = bank.client().transaction(&token, options.seq).await?;
    let answer = answer
        .with_context(|| format!("this caller sees no answer {}", options.seq))
        .exit(Exit::NotFound)
        .hint("`--as staff` sees all; others see what they sent, and what was booked on their accounts")?;
    Ok(print::json(&answer)?)
}

async fn show(options: &Show, bank: &Bank) -> Result<()> {
    let client = bank.client();
    let token = options.by.token(bank, Person::Staff).await?;
    let id = options.payment_id;
    let client_id = client_id(bank, options.client_id.as_deref()).await?;
    let payment = client
        .payment(&token, id, client_id.as_deref())
        .await?
        .with_context(|| format!("this caller sees no payment {id}"))
        .exit(Exit::NotFound)
        .hint("`--as staff` sees all; others see what they asked for themselves")?;
    if options.json {
        print::json(&payment)?;
        return Ok(());
    }
    let follow_ups = match payment["kind"].as_str() {
        Some("hold") if payment["status"] != "pending" => {
            let whose = payment["client_id"].as_str().unwrap_or_default();
            follow_ups(&client, &token, id, whose).await?
        }
        _ => Vec::new(),
    };
    print::line(&shown(&payment, &follow_ups)?)?;
    Ok(())
}

/// All that followed on a hold.
async fn follow_ups(
    client: &Client,
    token: &str,
    id: PaymentId,
    whose: &str,
) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    let mut query = vec![("client_id", whose.to_owned()), ("limit", "100".to_owned())];
    loop {
        let page = client.follow_ups(token, id, &query).await?;
        all.extend(page["payments"].as_array().cloned().unwrap_or_default());
        let last = all.last().and_then(|last| last["request_seq"].as_u64());
        let (false, Some(last)) = (page["next"].is_null(), last) else {
            return Ok(all);
        };
        query.truncate(2);
        query.push(("before", last.to_string()));
    }
}

async fn list(options: &List, bank: &Bank) -> Result<()> {
    let client = bank.client();
    let token = options.by.token(bank, Person::Staff).await?;
    let mut query = vec![("limit", options.limit.to_string())];
    let client_id = client_id(bank, options.client_id.as_deref()).await?;
    query.extend(client_id.map(|id| ("client_id", id)));
    let status = options.status.and_then(|status| status.to_possible_value());
    query.extend(status.map(|status| ("status", status.get_name().to_owned())));
    query.extend(options.before.map(|seq| ("before", seq.to_string())));
    let page = client.payments(&token, &query).await?;
    if options.json {
        print::json(&page)?;
        return Ok(());
    }
    let rows = Vec::<Listed>::deserialize(&page["payments"])
        .context("payments answered in an unknown form")?;
    if rows.is_empty() {
        print::line("No payments.")?;
        return Ok(());
    }
    print::line(&table(&rows))?;
    if let (false, Some(last)) = (page["next"].is_null(), rows.last()) {
        let seq = last.request_seq;
        print::line(&format!("\nOlder ones: the same with `--before {seq}`."))?;
    }
    Ok(())
}

/// A line per payment, or two where a terminal is too narrow for what something is beside how it stands.
fn table(rows: &[Listed]) -> String {
    let table = table_with(rows, " ");
    let is_wide = table
        .lines()
        .any(|line| line.chars().count() > print::WIDTH);
    if is_wide {
        return table_with(rows, "\n");
    }
    table
}

/// Where something is no payment its kind takes room, so a currency that all amounts have goes into the header.
fn table_with(rows: &[Listed], between: &str) -> String {
    let currency = |row: &Listed| print::readable(row.currency.as_deref().unwrap_or_default());
    let mut with_amount = rows.iter().filter(|row| row.amount.is_some());
    let first = with_amount.next().map(currency).unwrap_or_default();
    let is_one = !first.is_empty() && with_amount.all(|row| currency(row) == first);
    let is_wide = rows.iter().any(|row| row.kind != "payment");
    let mut header = vec!["payment", "status", "from", "to", "amount", ""];
    if is_wide && is_one {
        header.truncate(4);
        header.push(&first);
    }
    let mut table = print::table(&header);
    let account = |id: Option<AccountId>| id.map_or_else(|| "?".to_owned(), short_account_name);
    for row in rows {
        let mut cells = vec![
            row.payment_id.clone(),
            standing(&row.kind, &row.status, between),
            account(row.debtor_account),
            account(row.creditor_account),
            print::readable(row.amount.as_deref().unwrap_or("?")),
            currency(row),
        ];
        cells.truncate(header.len());
        table.add_row(cells);
    }
    print::align_right(&mut table, 4..=4);
    print::text(table)
}

/// The status, with the kind where it is no payment: `settled`, `authorised hold`, `reversal`, `rejected reversal`.
fn standing(kind: &str, status: &str, between: &str) -> String {
    match (kind, status) {
        ("payment", status) => status.to_owned(),
        ("capture", "captured")
        | ("void", "voided")
        | ("reversal", "reversed")
        | ("transaction", "settled") => kind.to_owned(),
        (kind, status) => format!("{status}{between}{kind}"),
    }
}

pub(crate) async fn client_id(bank: &Bank, asked: Option<&str>) -> Result<Option<String>> {
    Ok(match asked {
        Some(asked) => Some(names::client_id(asked, bank).await?),
        None => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_it_is_where_it_is_no_payment() {
        for (kind, status, told) in [
            ("payment", "settled", "settled"),
            ("payment", "reversed", "reversed"),
            ("hold", "authorised", "authorised hold"),
            ("hold", "captured", "captured hold"),
            ("capture", "captured", "capture"),
            ("capture", "reversed", "reversed capture"),
            ("void", "voided", "void"),
            ("reversal", "rejected", "rejected reversal"),
            ("transaction", "settled", "transaction"),
            ("transaction", "rejected", "rejected transaction"),
            ("transaction", "reversed", "reversed transaction"),
        ] {
            assert_eq!(standing(kind, status, " "), told);
        }
    }

    #[test]
    fn the_widest_list_fits_a_terminal() {
        let row = |kind: &str, status: &str| Listed {
            payment_id: "0198c0de-0000-7000-8000-000000000001".to_owned(),
            request_seq: 1,
            kind: kind.to_owned(),
            status: status.to_owned(),
            debtor_account: Some(AccountId(uuid::Uuid::from_u128(0xabcd))),
            creditor_account: Some(AccountId(uuid::Uuid::from_u128(0xabcd))),
            amount: Some("1000.00".to_owned()),
            currency: Some("EUR".to_owned()),
        };
        // A refused request may say neither amount nor currency, and a transaction has no single one.
        let bare = |kind: &str, status: &str| Listed {
            amount: None,
            currency: None,
            ..row(kind, status)
        };
        let without_currency = Listed {
            currency: None,
            ..row("capture", "rejected")
        };
        let dollars = Listed {
            currency: Some("USD".to_owned()),
            ..row("hold", "authorised")
        };
        for rows in [
            vec![row("payment", "authorised")],
            vec![row("payment", "settled"), row("reversal", "rejected")],
            vec![bare("payment", "rejected"), row("reversal", "rejected")],
            vec![row("payment", "settled"), bare("reversal", "rejected")],
            vec![bare("transaction", "rejected"), row("payment", "settled")],
            vec![row("payment", "settled"), without_currency],
            vec![row("transaction", "rejected"), dollars],
        ] {
            let table = table(&rows);
            let widest = table.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(print::WIDTH), "{table}");
            assert!(table.contains("EUR"), "{table}");
        }
    }
}
