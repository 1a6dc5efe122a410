//! `quittance payment`: shows payments and what became of them.

use std::path::Path;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand, ValueEnum};
use common::ids::{AccountId, PaymentId};
use common::kinds::payment::PaymentAnswer;
use serde::Deserialize;
use serde_json::Value;

use crate::failure::{Exit, Hinted as _};
use crate::login;
use crate::names::{self, Person, short_account_name};
use crate::print;
use crate::running::Running;
use crate::sending::settlement_text;
use client::Client;

/// What to do with payments.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show a payment and what became of it
    Show(Show),
    /// List the payments of one client, newest first
    List(List),
}

/// Options of `quittance payment show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The payment's id
    payment_id: PaymentId,
    /// Who looks; all but staff see only what they asked for themselves
    #[arg(
        long = "as",
        value_enum,
        value_name = "WHO",
        default_value = "staff",
        ignore_case = true
    )]
    person: Person,
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
    /// Who looks; only staff see the payments of others
    #[arg(
        long = "as",
        value_enum,
        value_name = "WHO",
        default_value = "staff",
        ignore_case = true
    )]
    person: Person,
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
    status: String,
    debtor_account: Option<AccountId>,
    creditor_account: Option<AccountId>,
    amount: Option<String>,
    currency: Option<String>,
}

pub(crate) async fn run(command: Command, home: &Path) -> Result<()> {
    let running = Running::find(home)?;
    match command {
        Command::Show(options) => show(&options, &running).await,
        Command::List(options) => list(&options, &running).await,
    }
}

async fn show(options: &Show, running: &Running) -> Result<()> {
    let client = running.client();
    let token = login::token(&client, &options.person.login(running.demo()?)?).await?;
    let id = options.payment_id;
    let client_id = client_id(&client, running, options.client_id.as_deref()).await?;
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
    print::line(&shown(&payment)?)?;
    Ok(())
}

async fn list(options: &List, running: &Running) -> Result<()> {
    let client = running.client();
    let token = login::token(&client, &options.person.login(running.demo()?)?).await?;
    let mut query = vec![("limit", options.limit.to_string())];
    let client_id = client_id(&client, running, options.client_id.as_deref()).await?;
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
    let mut table = print::table(&["payment", "status", "from", "to", "amount", ""]);
    let account = |id: Option<AccountId>| id.map_or_else(|| "?".to_owned(), short_account_name);
    for row in &rows {
        table.add_row([
            row.payment_id.clone(),
            row.status.clone(),
            account(row.debtor_account),
            account(row.creditor_account),
            print::readable(row.amount.as_deref().unwrap_or("?")),
            print::readable(row.currency.as_deref().unwrap_or_default()),
        ]);
    }
    print::align_right(&mut table, 4..=4);
    print::line(&print::text(table))?;
    if let (false, Some(last)) = (page["next"].is_null(), rows.last()) {
        let seq = last.request_seq;
        print::line(&format!("\nOlder ones: the same with `--before {seq}`."))?;
    }
    Ok(())
}

async fn client_id(
    client: &Client,
    running: &Running,
    asked: Option<&str>,
) -> Result<Option<String>> {
    Ok(match asked {
        Some(asked) => Some(names::client_id(asked, client, running.demo()?).await?),
        None => None,
    })
}

fn shown(payment: &Value) -> Result<String> {
    if payment["status"] == "pending" {
        return Ok(format!(
            "Payment {} is not decided yet: request {}.",
            payment["payment_id"].as_str().unwrap_or_default(),
            payment["request_seq"]
        ));
    }
    let settlement = PaymentAnswer::deserialize(payment);
    Ok(settlement_text(
        &settlement.context("payments answered in an unknown form")?,
    ))
}
