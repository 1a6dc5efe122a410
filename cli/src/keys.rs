//! `quittance keys`: what tokens are signed with, and how it changes.

use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow};
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::asking::Asking;
use crate::bank::Bank;
use crate::failure::{Exit, Hinted as _};
use crate::print;

/// What to do with signing keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List signing keys, the newest first
    List(Asking),
    /// Make the next key; it signs when verifiers have had 20 minutes to fetch it
    Rotate(Rotate),
    /// Let nothing count that a key has signed; a key that signs is replaced at once
    Revoke(Revoke),
    /// Seal private halves with the first of the key encryption keys, so that the others can go
    Rewrap(Asking),
    /// Take the refresh tokens of another system for a day: its public key, or the public half of its private one
    Import(Import),
}

/// Options of `quittance keys rotate`.
#[derive(Debug, Args)]
pub(crate) struct Rotate {
    /// Sign with it as soon as the ledger has noted it; whoever caches /.well-known/jwks.json may refuse its tokens for ten
    /// minutes
    #[arg(long)]
    at_once: bool,
    #[command(flatten)]
    asking: Asking,
}

/// Options of `quittance keys revoke`.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The key, or the beginning of its name
    kid: String,
    #[command(flatten)]
    asking: Asking,
}

/// Options of `quittance keys import`.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// PEM; of a private key only the public half leaves this machine
    file: PathBuf,
    #[command(flatten)]
    asking: Asking,
}

/// A key, as auth shows one.
#[derive(Debug, Deserialize)]
struct Shown {
    kid: String,
    state: String,
    is_imported: bool,
    created_at: String,
    activates_at: Option<String>,
    retires_at: Option<String>,
    announced_seq: Option<u64>,
}

pub(crate) async fn run(command: Command, bank: &Bank) -> Result<()> {
    let client = bank.client();
    let token = async |asking: &Asking| -> Result<String> { asking.token(bank).await };
    match command {
        Command::List(asking) => {
            let token = token(&asking).await?;
            told(&client.keys(&token).await?, &asking)
        }
        Command::Rotate(asked) => {
            let token = token(&asked.asking).await?;
            let body = json!({"at_once": asked.at_once});
            let keys = client.change_keys(&token, "rotate", &body).await?;
            told(&keys, &asked.asking)
        }
        Command::Revoke(asked) => {
            let token = token(&asked.asking).await?;
            let kid = full(&client.keys(&token).await?, &asked.kid)?;
            let action = format!("{kid}/revoke");
            let keys = client.change_keys(&token, &action, &json!({})).await?;
            told(&keys, &asked.asking)
        }
        Command::Rewrap(asking) => {
            let token = token(&asking).await?;
            let rewrapped = client.change_keys(&token, "rewrap", &json!({})).await?;
            if asking.json {
                return Ok(print::json(&rewrapped)?);
            }
            Ok(print::line(&format!(
                "Sealed anew: {}. Only the first key encryption key is needed now.",
                rewrapped["rewrapped"]
            ))?)
        }
        Command::Import(asked) => {
            let pem = std::fs::read_to_string(&asked.file);
            let pem = pem.with_context(|| format!("{} can't be read", asked.file.display()))?;
            let key = auth::public_jwk(&pem).map_err(|error| anyhow!(error))?;
            let token = token(&asked.asking).await?;
            let body = json!({"public_key": key});
            let keys = client.change_keys(&token, "import", &body).await?;
            told(&keys, &asked.asking)
        }
    }
}

/// The key whose name begins so.
fn full(keys: &Value, beginning: &str) -> Result<String> {
    let keys = shown(keys)?;
    let mut meant = keys.iter().filter(|key| key.kid.starts_with(beginning));
    let (first, second) = (meant.next(), meant.next());
    let found = match (first, second) {
        (Some(key), None) => Ok(key.kid.clone()),
        (None, _) => Err(anyhow!("no key is called {beginning}")).exit(Exit::NotFound),
        (Some(_), Some(_)) => Err(anyhow!("several keys begin with {beginning}")),
    };
    found.hint("`quittance keys list` shows them all")
}

fn shown(keys: &Value) -> Result<Vec<Shown>> {
    Vec::<Shown>::deserialize(&keys["keys"]).context("auth answered in an unknown form")
}

fn told(keys: &Value, asking: &Asking) -> Result<()> {
    if asking.json {
        return Ok(print::json(keys)?);
    }
    let mut table = print::table(&["key", "state", "made", "next", "log"]);
    for key in shown(keys)? {
        let minute =
            |time: &str| print::readable(&time.get(..16).unwrap_or(time).replace('T', " "));
        let next = match (&*key.state, &key.activates_at, &key.retires_at) {
            ("pending", Some(at), _) => format!("signs {}", minute(at)),
            ("retiring", _, Some(at)) => format!("over {}", minute(at)),
            _ => String::new(),
        };
        let state = if key.is_imported {
            format!("{} (imported)", key.state)
        } else {
            key.state.clone()
        };
        table.add_row([
            print::readable(key.kid.get(..12).unwrap_or(&key.kid)),
            state,
            minute(&key.created_at),
            next,
            key.announced_seq
                .map_or_else(String::new, |seq| seq.to_string()),
        ]);
    }
    Ok(print::line(&print::text(table))?)
}
