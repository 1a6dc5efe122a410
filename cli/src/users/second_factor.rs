//! `quittance users second-factor`: codes of an authenticator besides the password.

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Named, change};
use crate::asking::Oneself;
use crate::bank::Bank;
use crate::print;
use client::Client;

/// What to do with a second factor.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Begin: print the secret for an authenticator
    Enrol(Enrol),
    /// Turn it on with a first code, and print the recovery codes
    Confirm(WithCode),
    /// Turn it off; log-in and this take a code each, so a recovery code is handy
    Remove(WithCode),
    /// Show whether it is on, and how many recovery codes are left
    Show(Show),
    /// Print new recovery codes in the place of those that are left; log-in and this take a code each
    RecoveryCodes(WithCode),
    /// Take somebody's lost one away, and log them out everywhere
    Reset(Named),
}

/// Options of `quittance users second-factor enrol`.
#[derive(Debug, Args)]
pub(crate) struct Enrol {
    #[command(flatten)]
    oneself: Oneself,
}

/// Options of `quittance users second-factor show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    oneself: Oneself,
}

/// Options of a command that takes a code.
#[derive(Debug, Args)]
pub(crate) struct WithCode {
    /// What the authenticator shows
    code: String,
    #[command(flatten)]
    oneself: Oneself,
}

pub(super) async fn run(command: Command, bank: &Bank) -> Result<()> {
    let client = bank.client();
    match command {
        Command::Enrol(options) => enrol(options, &client, bank).await,
        Command::Confirm(options) => confirm(options, &client, bank).await,
        Command::Show(options) => show(options, &client, bank).await,
        Command::RecoveryCodes(options) => renew(options, &client, bank).await,
        Command::Remove(options) => {
            let (token, password) = options.oneself.token_and_password(bank).await?;
            let body = json!({"current_password": password, "code": options.code});
            client.remove_second_factor(&token, &body).await?;
            Ok(print::line("The second factor is off.")?)
        }
        Command::Reset(named) => change(&named, "second-factor/reset", bank).await,
    }
}

async fn enrol(options: Enrol, client: &Client, bank: &Bank) -> Result<()> {
    let json = options.oneself.json;
    let same = options.oneself.repeated();
    let (token, password) = options.oneself.token_and_password(bank).await?;
    let body = json!({"current_password": password});
    let started = client.second_factor(&token, "", &body).await?;
    if json {
        return Ok(print::json(&started)?);
    }
    let text = |name: &str| {
        let text = started[name].as_str();
        text.context("auth answered in an unknown form")
    };
    print::line(&format!(
        "{}\n\nPut the URI or the secret into an authenticator, and turn it on with what that shows:\n  \
         quittance users second-factor confirm CODE{same}",
        print::pairs(&[
            ("secret", text("secret")?.to_owned()),
            ("uri", text("otpauth_uri")?.to_owned()),
        ])
    ))?;
    Ok(())
}

async fn confirm(options: WithCode, client: &Client, bank: &Bank) -> Result<()> {
    let json = options.oneself.json;
    let token = options.oneself.token(bank).await?;
    let body = json!({"code": options.code});
    let confirmed = client.second_factor(&token, "/confirm", &body).await?;
    told(&confirmed, json, "The second factor is on.")
}

async fn renew(options: WithCode, client: &Client, bank: &Bank) -> Result<()> {
    let json = options.oneself.json;
    let (token, password) = options.oneself.token_and_password(bank).await?;
    let body = json!({"current_password": password, "code": options.code});
    let renewed = client
        .second_factor(&token, "/recovery-codes", &body)
        .await?;
    told(&renewed, json, "The recovery codes before these are over.")
}

async fn show(options: Show, client: &Client, bank: &Bank) -> Result<()> {
    let json = options.oneself.json;
    let token = options.oneself.token(bank).await?;
    let state = client.second_factor_state(&token).await?;
    if json {
        return Ok(print::json(&state)?);
    }
    let is = |name: &str| state[name].as_bool().unwrap_or_default();
    let left = state["recovery_codes_left"].as_i64().unwrap_or_default();
    let state = match (is("is_on"), is("is_required")) {
        (true, _) => "on",
        (false, true) => "off, and the bank asks its staff for one",
        (false, false) => "off",
    };
    print::line(&print::pairs(&[
        ("second factor", state.to_owned()),
        ("recovery codes left", left.to_string()),
    ]))?;
    Ok(())
}

/// Prints recovery codes, behind what they are there for.
fn told(answer: &Value, json: bool, what: &str) -> Result<()> {
    if json {
        return Ok(print::json(answer)?);
    }
    let codes = answer["recovery_codes"].as_array();
    let codes = codes.context("auth answered in an unknown form")?.iter();
    let codes: Vec<_> = codes.filter_map(|code| code.as_str()).collect();
    print::line(&format!(
        "{what} Each of these recovery codes stands in for it once; nobody can show them again:\n  {}",
        codes.join("\n  ")
    ))?;
    Ok(())
}
