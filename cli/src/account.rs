//! `quittance account`: opens accounts and shows them, as they are and ([`history`]) as they were.

mod history;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use common::account_number::AccountName;
use common::ids::AccountId;
use common::kinds::account::{Category, OpenAccount};
use serde::Deserialize as _;
use serde_json::Value;
use uuid::Uuid;

use crate::account_view::show;
use crate::asking::As;
use crate::bank::Bank;
use crate::controls;
use crate::failure::{self, Exit, Hinted as _, hinted, is_unknown, refusal};
use crate::names::{self, Person};
use crate::print;
use client::{Account, Client};

pub(crate) use history::save;

/// What to do with accounts.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Open an account
    Open(Open),
    /// Show an account with its balances
    Show(Show),
    /// List accounts with their balances
    List(List),
    /// Block debits, credits or both
    Freeze(controls::Sided),
    /// End a freeze
    Unfreeze(controls::Sided),
    /// Close an account for ever: at a balance of zero and without holds
    Close(controls::One),
    /// Set limits of an account; those that are not named stay, `none` takes one away
    Limit(controls::Limit),
    /// List what is held on an account
    Holds(controls::Holds),
    /// Show what an account came to on a day, as it was known at a time
    Balance(history::BalanceOptions),
    /// Show every posting of an account with the balance after it, or write a file
    Statement(history::StatementOptions),
}

/// Options of `quittance account open`.
#[derive(Debug, Args)]
pub(crate) struct Open {
    /// Who may pay from it: staff, ada, grace, shop, or the `sub` of the owner's tokens (a user's UUID, or a client id)
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
    /// A note about it, such as branch=Berlin; up to 20 of them. May come again
    #[arg(long = "metadata", value_name = "KEY=TEXT", value_parser = note)]
    metadata: Vec<(String, String)>,
    /// The account's id; opening it again with the same terms changes nothing [default: a new UUID]
    #[arg(long, value_name = "UUID")]
    id: Option<AccountId>,
    #[command(flatten)]
    by: As,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Options of `quittance account show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The account: its number or id, or ada, grace or cash
    #[arg(value_parser = names::account())]
    account: AccountName,
    #[command(flatten)]
    by: As,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Options of `quittance account list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Whose: staff, ada, grace, shop, or the `sub` of the owner's tokens [default: everybody's]
    #[arg(long)]
    owner: Option<String>,
    #[command(flatten)]
    by: As,
    /// How many at most
    #[arg(long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(u32).range(1..=100))]
    limit: u32,
    /// Only accounts behind this one
    #[arg(long, value_name = "UUID")]
    after: Option<AccountId>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn note(text: &str) -> Result<(String, String), &'static str> {
    let note = text.split_once('=');
    let note = note.map(|(key, text)| (key.to_owned(), text.to_owned()));
    note.ok_or("write it as KEY=TEXT, such as branch=Berlin")
}

pub(crate) async fn run(command: Command, bank: &Bank) -> Result<()> {
    let client = bank.client();
    match command {
        Command::Open(open) => {
            let token = open.by.token(bank, Person::Staff).await?;
            let owner = names::subject(&open.owner, bank).await?;
            if bank.demo().is_some() && !names::is_known_subject(&owner) {
                failure::warn(&format!(
                    "nobody of the demo bank is {owner:?}, and it is no user's UUID:\n\
                     only a service account with this id may pay from the account"
                ));
            }
            let account = OpenAccount {
                account_id: open.id.unwrap_or_else(|| AccountId(Uuid::now_v7())),
                owner,
                currency: open.currency,
                category: open.category,
                name: open.name,
                overdraft_limit: open.overdraft_limit,
                metadata: (!open.metadata.is_empty()).then(|| open.metadata.into_iter().collect()),
            };
            let opened = client.open_account(&token, &account).await;
            let id = account.account_id;
            let opened = opened.map_err(|error| {
                let error = anyhow::Error::from(error);
                if !is_unknown(&error) {
                    return rejected(error, id);
                }
                let error = error.context(format!("whether account {id} was opened is unknown"));
                hinted(
                    error,
                    format!("ask again with --id {id}: that never opens a second one"),
                )
            })?;
            if !open.json && opened.body["status"] != "pending" {
                let seq = &opened.body["opened_seq"];
                print::line(&if opened.is_repeated {
                    format!(
                        "Account {id}\nwas opened before, by request {seq}; nothing was changed now.\n"
                    )
                } else {
                    format!("Opened account {id}, by request {seq}.\n")
                })?;
            }
            show(&opened.body, open.json)
        }
        Command::Show(asked) => {
            let token = asked.by.token(bank, Person::Staff).await?;
            let account = client.account(&token, asked.account).await?;
            let account = account
                .with_context(|| format!("there is no account {} to be seen", asked.account))
                .exit(Exit::NotFound)
                .hint("customers see their own accounts only; `--as staff` sees all")?;
            show(&account, asked.json)
        }
        Command::List(asked) => list(&asked, &client, bank).await,
        Command::Freeze(asked) => controls::freeze(asked, bank).await,
        Command::Unfreeze(asked) => controls::unfreeze(asked, bank).await,
        Command::Close(asked) => controls::close(asked, bank).await,
        Command::Limit(asked) => controls::limit(asked, bank).await,
        Command::Holds(asked) => controls::holds(asked, bank).await,
        Command::Balance(asked) => history::balance(asked, bank).await,
        Command::Statement(asked) => history::statement(asked, bank).await,
    }
}

async fn list(asked: &List, client: &Client, bank: &Bank) -> Result<()> {
    let token = asked.by.token(bank, Person::Staff).await?;
    let mut query = vec![("limit", asked.limit.to_string())];
    if let Some(owner) = &asked.owner {
        query.push(("owner", names::subject(owner, bank).await?));
    }
    query.extend(asked.after.map(|id| ("after", id.to_string())));
    let page: Value = client.accounts(&token, &query).await?;
    if asked.json {
        print::json(&page)?;
        return Ok(());
    }
    let rows = Vec::<Account>::deserialize(&page["accounts"])
        .context("the ledger answered in an unknown form")?;
    if rows.is_empty() {
        print::line("No accounts.")?;
        return Ok(());
    }
    let mut table = print::table(&["account", "name", "category", "posted", ""]);
    for row in &rows {
        table.add_row([
            row.account_number.clone(),
            print::readable(row.name.as_deref().unwrap_or_default()),
            row.category.clone(),
            row.posted.clone(),
            row.currency.clone(),
        ]);
    }
    print::align_right(&mut table, 3..=3);
    print::line(&print::text(table))?;
    if let (false, Some(last)) = (page["next"].is_null(), rows.last()) {
        let id = last.account_id;
        print::line(&format!("\nMore: the same with `--after {id}`."))?;
    }
    Ok(())
}

/// The error of an account that is not opened.
fn rejected(error: anyhow::Error, id: AccountId) -> anyhow::Error {
    let refused = refusal(&error);
    match refused.and_then(|refused| refused.body["request_seq"].as_u64()) {
        Some(seq) => error.context(format!("account {id} is rejected, as request {seq}")),
        None => error.context(format!("account {id} was not opened")),
    }
}
