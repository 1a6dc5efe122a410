//! `quittance users second-factor`: codes of an authenticator besides the password.

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{Named, change};
use crate::asking::Oneself;
use crate::print;
use crate::running::Running;
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
    /// Take somebody's lost one away, and log them out everywhere
    Reset(Named),
}

/// Options of `quittance users second-factor enrol`.
#[derive(Debug, Args)]
pub(crate) struct Enrol {
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

pub(super) async fn run(command: Command, running: &Running) -> Result<()> {
    let client = running.client();
    match command {
        Command::Enrol(options) => enrol(options, &client, running).await,
        Command::Confirm(options) => confirm(options, &client, running).await,
        Command::Remove(options) => {
            let (token, password) = options.oneself.token(&client, running).await?;
            let body = json!({"current_password": password, "code": options.code});
            client.remove_second_factor(&token, &body).await?;
            Ok(print::line("The second factor is off.")?)
        }
        Command::Reset(named) => change(&named, "second-factor/reset", running).await,
    }
}

async fn enrol(options: Enrol, client: &Client, running: &Running) -> Result<()> {
    let json = options.oneself.json;
    let (token, password) = options.oneself.token(client, running).await?;
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
         quittance users second-factor confirm CODE",
        print::pairs(&[
            ("secret", text("secret")?.to_owned()),
            ("uri", text("otpauth_uri")?.to_owned()),
        ])
    ))?;
    Ok(())
}

async fn confirm(options: WithCode, client: &Client, running: &Running) -> Result<()> {
    let json = options.oneself.json;
    let (token, _) = options.oneself.token(client, running).await?;
    let body = json!({"code": options.code});
    let confirmed = client.second_factor(&token, "/confirm", &body).await?;
    if json {
        return Ok(print::json(&confirmed)?);
    }
    let codes = confirmed["recovery_codes"].as_array();
    let codes = codes.context("auth answered in an unknown form")?.iter();
    let codes: Vec<_> = codes.filter_map(|code| code.as_str()).collect();
    print::line(&format!(
        "The second factor is on. Each of these recovery codes stands in for it once; nobody can show them again:\n  {}",
        codes.join("\n  ")
    ))?;
    Ok(())
}
