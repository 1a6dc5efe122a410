//! `quittance clients`: service accounts, the programs that get tokens.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use common::account_number::AccountName;
use common::ids::AccountId;
use common::token::Scope;
use serde_json::{Value, json};

use crate::asking::Asking;
use crate::bank::Bank;
use crate::failure::{Exit, Hinted as _};
use crate::names;
use crate::print;
use crate::token;

/// What to do with service accounts.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List service accounts
    List(List),
    /// Show a service account and its credentials
    Show(Named),
    /// Make a service account and print its secret, once
    Create(Create),
    /// Add and delete secrets and keys
    #[command(subcommand)]
    Credentials(Credentials),
    /// Let it get tokens no more, and end those it has
    Deactivate(Named),
    /// Let it get tokens again
    Activate(Named),
    /// Delete it for good; its id stays taken
    Delete(Named),
}

/// What to do with the credentials of one.
#[derive(Debug, Subcommand)]
pub(crate) enum Credentials {
    /// Add a second secret or key, to be used before the first one is deleted
    Add(Add),
    /// Delete a secret or key, and end the tokens it got
    Delete(DeleteCredential),
}

/// Options of `quittance clients list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// How many at most
    #[arg(long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(u32).range(1..=100))]
    limit: u32,
    /// Only those behind this one
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

/// One service account.
#[derive(Debug, Args)]
pub(crate) struct Named {
    /// Its id
    id: String,
    #[command(flatten)]
    asking: Asking,
}

/// Options of `quittance clients create`.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Its id: letters, digits, hyphens, underscores
    id: String,
    /// What its tokens allow at most; several times for more
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_parser = scopes())]
    scopes: Vec<String>,
    /// For people
    #[arg(long)]
    name: Option<String>,
    /// Where alone its tokens pass: over HTTP, or in messages
    #[arg(long, value_parser = token::audience())]
    audience: Option<String>,
    /// The most that one payment may move, such as EUR=250.00
    #[arg(long, value_name = "CURRENCY=AMOUNT", value_parser = maximum)]
    payment_max: Vec<(String, String)>,
    /// The only accounts that it may debit
    #[arg(long = "account", value_name = "ACCOUNT", value_parser = names::account())]
    accounts: Vec<AccountName>,
    /// Its public RSA key, as PEM or JWK, in the place of a secret
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
    #[command(flatten)]
    asking: Asking,
}

/// Options of `quittance clients credentials add`.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// Whose
    id: String,
    /// A public RSA key, as PEM or JWK, in the place of a secret
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
    /// It proves nothing from then on (RFC 3339)
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

/// Options of `quittance clients credentials delete`.
#[derive(Debug, Args)]
pub(crate) struct DeleteCredential {
    /// Whose
    id: String,
    /// Which: `quittance clients show` tells
    #[arg(value_name = "UUID")]
    credential: uuid::Uuid,
    #[command(flatten)]
    asking: Asking,
}

fn scopes() -> PossibleValuesParser {
    PossibleValuesParser::new(Scope::ALL.iter().map(|scope| scope.as_str()))
}

pub(crate) fn maximum(text: &str) -> Result<(String, String), String> {
    let (currency, amount) = text
        .split_once('=')
        .ok_or("it is a currency and an amount, as EUR=250.00")?;
    Ok((currency.to_owned(), amount.to_owned()))
}

pub(crate) async fn run(command: Command, bank: &Bank) -> Result<()> {
    let client = bank.client();
    let token = async |asking: &Asking| -> Result<String> { asking.token(bank).await };
    match command {
        Command::List(asked) => {
            let mut query = vec![("limit", asked.limit.to_string())];
            query.extend(asked.after.map(|id| ("after", id)));
            let token = token(&asked.asking).await?;
            list(
                &client.service_accounts(&token, &query).await?,
                asked.asking.json,
            )
        }
        Command::Show(asked) => {
            let token = token(&asked.asking).await?;
            let account = client.service_account(&token, &asked.id).await?;
            let account = account
                .with_context(|| format!("there is no service account {}", asked.id))
                .exit(Exit::NotFound)
                .hint("`quittance clients list` shows them all")?;
            show(&account, asked.asking.json)
        }
        Command::Create(asked) => {
            let token = token(&asked.asking).await?;
            let accounts = names::account_ids(&asked.accounts, &client, &token).await?;
            let new = new(&asked, &accounts)?;
            let made = client.create_service_account(&token, &new).await?;
            show(&made, asked.asking.json)
        }
        Command::Credentials(Credentials::Add(asked)) => {
            let token = token(&asked.asking).await?;
            let body = json!({
                "public_key": public_key(asked.public_key.as_deref())?,
                "expires_at": asked.expires_at,
            });
            let added = client.add_credential(&token, &asked.id, &body).await?;
            if asked.asking.json {
                return Ok(print::json(&added)?);
            }
            print::line(&format!("Added credential {}.", word(&added["id"])))?;
            show_secret(&added)
        }
        Command::Credentials(Credentials::Delete(asked)) => {
            let token = token(&asked.asking).await?;
            client
                .delete_credential(&token, &asked.id, asked.credential)
                .await?;
            Ok(print::line(
                "Deleted it; the tokens that it got have ended.",
            )?)
        }
        Command::Deactivate(asked) => {
            let token = token(&asked.asking).await?;
            let account = client.switch_service_account(&token, &asked.id, "deactivate");
            show(&account.await?, asked.asking.json)
        }
        Command::Activate(asked) => {
            let token = token(&asked.asking).await?;
            let account = client.switch_service_account(&token, &asked.id, "activate");
            show(&account.await?, asked.asking.json)
        }
        Command::Delete(asked) => {
            let token = token(&asked.asking).await?;
            client.delete_service_account(&token, &asked.id).await?;
            Ok(print::line("Deleted it; its tokens have ended.")?)
        }
    }
}

fn new(asked: &Create, accounts: &[AccountId]) -> Result<Value> {
    let maxima = maxima(&asked.payment_max)?;
    Ok(json!({
        "client_id": asked.id,
        "name": asked.name,
        "scopes": asked.scopes,
        "audience": asked.audience,
        "payment_max": maxima,
        "accounts": (!accounts.is_empty()).then_some(accounts),
        "credential": {"public_key": public_key(asked.public_key.as_deref())?},
    }))
}

/// Limits as auth takes them; nothing when there are none.
pub(crate) fn maxima(asked: &[(String, String)]) -> Result<Option<BTreeMap<String, String>>> {
    let maxima: BTreeMap<_, _> = asked.iter().cloned().collect();
    if maxima.len() < asked.len() {
        bail!("--payment-max names a currency twice");
    }
    Ok((!maxima.is_empty()).then_some(maxima))
}

/// A key as auth takes it: a JWK as an object, PEM as a text.
fn public_key(file: Option<&Path>) -> Result<Option<Value>> {
    let Some(file) = file else {
        return Ok(None);
    };
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("{} can't be read", file.display()))?;
    let jwk = serde_json::from_str(&text).ok().filter(Value::is_object);
    Ok(Some(jwk.unwrap_or(Value::String(text))))
}

fn list(page: &Value, json: bool) -> Result<()> {
    if json {
        return Ok(print::json(page)?);
    }
    let accounts = page["service_accounts"].as_array();
    let accounts = accounts.context("auth answered in an unknown form")?;
    let mut table = print::table(&["client", "name", "active", "last used"]);
    for account in accounts {
        let used = account["credentials"].as_array().into_iter().flatten();
        let used = used.filter_map(|one| one["last_used_at"].as_str()).max();
        table.add_row([
            word(&account["client_id"]),
            word(&account["name"]),
            is_active(account),
            used.map_or_else(|| "never".to_owned(), minute),
        ]);
    }
    print::line(&print::text(table))?;
    if let (false, Some(last)) = (page["next"].is_null(), accounts.last()) {
        let id = word(&last["client_id"]);
        print::line(&format!("\nMore: the same with `--after {id}`."))?;
    }
    Ok(())
}

fn show(account: &Value, json: bool) -> Result<()> {
    if json {
        return Ok(print::json(account)?);
    }
    let words = |list: &Value| {
        let words = list.as_array().into_iter().flatten().map(word);
        words.collect::<Vec<_>>().join(" ")
    };
    let maxima = account["payment_max"].as_object().into_iter().flatten();
    let maxima: Vec<_> = maxima
        .map(|(currency, amount)| format!("{} {currency}", word(amount)))
        .collect();
    print::line(&print::pairs(&[
        ("client", word(&account["client_id"])),
        ("name", word(&account["name"])),
        ("active", is_active(account)),
        ("scopes", words(&account["scopes"])),
        ("audience", word(&account["audience"])),
        ("payment max", maxima.join(", ")),
        ("accounts", words(&account["accounts"])),
    ]))?;
    let mut table = print::table(&["credential", "kind", "last used", "expires"]);
    for one in account["credentials"].as_array().into_iter().flatten() {
        let time = |name: &str| {
            one[name]
                .as_str()
                .map_or_else(|| "never".to_owned(), minute)
        };
        table.add_row([
            word(&one["id"]),
            word(&one["kind"]),
            time("last_used_at"),
            time("expires_at"),
        ]);
    }
    print::line(&format!("\n{}", print::text(table)))?;
    show_secret(account)
}

fn show_secret(made: &Value) -> Result<()> {
    if let Some(secret) = made["client_secret"].as_str() {
        print::line(&format!("\nIts secret, shown this once:\n{secret}"))?;
    }
    Ok(())
}

fn is_active(account: &Value) -> String {
    if account["is_active"] == true {
        "yes"
    } else {
        "no"
    }
    .to_owned()
}

/// A text for a table; nothing for what is missing.
fn word(value: &Value) -> String {
    print::readable(value.as_str().unwrap_or_default())
}

/// The minute of a time.
fn minute(time: &str) -> String {
    print::readable(time.get(..16).unwrap_or(time))
}
