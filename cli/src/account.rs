//! `quittance account`: opens accounts and shows them.

use std::path::Path;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use common::ids::AccountId;
use common::kinds::account::{Category, OpenAccount};
use serde::Deserialize as _;
use serde_json::Value;
use uuid::Uuid;

use crate::client::{Account, Client, is_unknown};
use crate::demo_bank::{Person, parse_account};
use crate::failure::{Exit, Hinted as _, hinted};
use crate::print;
use crate::running::Running;

/// What to do with accounts.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Open an account
    Open(Open),
    /// Show an account with its balances
    Show(Show),
}

/// Options of `quittance account open`.
#[derive(Debug, Args)]
pub(crate) struct Open {
    /// Who may pay from it: the `sub` of the owner's tokens (a user's UUID, or a client id)
    #[arg(long)]
    owner: String,
    /// ISO 4217 code
    #[arg(long, default_value = "EUR")]
    currency: String,
    /// What it is in the bank's books; a customer's account is a liability
    #[arg(long, value_enum, default_value_t = Category::Liability)]
    category: Category,
    /// For people
    #[arg(long)]
    name: Option<String>,
    /// How far below zero its balance may go
    #[arg(long, value_name = "AMOUNT")]
    overdraft_limit: Option<String>,
    /// The account's id; opening it again with the same terms changes nothing [default: a new UUID]
    #[arg(long, value_name = "UUID")]
    id: Option<AccountId>,
    /// Who opens it
    #[arg(long = "as", value_enum, value_name = "WHO", default_value = "staff")]
    person: Person,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Options of `quittance account show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The account: its id, or ada, grace or cash
    #[arg(value_parser = parse_account)]
    account: AccountId,
    /// Who looks; customers see their own accounts only
    #[arg(long = "as", value_enum, value_name = "WHO", default_value = "staff")]
    person: Person,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(command: Command, home: &Path) -> Result<()> {
    let running = Running::find(home)?;
    let client = Client::new(&running.status)?;
    match command {
        Command::Open(open) => {
            let token = client.token(&open.person.login(running.demo()?)?).await?;
            let account = OpenAccount {
                account_id: open.id.unwrap_or_else(|| AccountId(Uuid::now_v7())),
                owner: open.owner,
                currency: open.currency,
                category: open.category,
                name: open.name,
                overdraft_limit: open.overdraft_limit,
            };
            let opened = client.open_account(&token, &account).await;
            let opened = opened.map_err(|error| {
                if !is_unknown(&error) {
                    return error;
                }
                let id = account.account_id;
                let error = error.context(format!("whether account {id} was opened is unknown"));
                hinted(
                    error,
                    format!("ask again with --id {id}: that never opens a second one"),
                )
            })?;
            show(&opened, open.json)
        }
        Command::Show(asked) => {
            let token = client.token(&asked.person.login(running.demo()?)?).await?;
            let account = client.account(&token, asked.account).await?;
            let account = account
                .with_context(|| format!("there is no account {} to be seen", asked.account))
                .exit(Exit::NotFound)
                .hint("customers see their own accounts only; `--as staff` sees all")?;
            show(&account, asked.json)
        }
    }
}

fn show(account: &Value, json: bool) -> Result<()> {
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
        ("name", name),
        ("owner", print::readable(&account.owner)),
        ("category", account.category),
        (
            "status",
            format!(
                "{}, opened by request {}",
                account.status, account.opened_seq
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
    Ok(())
}
