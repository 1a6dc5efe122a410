//! `quittance token`: logs in and prints the access token, to be used in a pipe.

use std::io::{IsTerminal as _, Read as _};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use clap::builder::PossibleValuesParser;
use common::token::Audience;

use crate::bank::Bank;
use crate::login;
use crate::names::Person;
use crate::print;
use client::{Login, access_token};
use serde_json::json;

/// Longest password that is read from standard input.
const PASSWORD_BYTES_MAX: u64 = 4096;

/// Options of `quittance token`.
#[derive(Debug, Args)]
pub(crate) struct Token {
    /// Somebody of the demo bank [default: whoever is logged in; at the demo bank ada]
    #[arg(long = "as", value_enum, value_name = "WHO", ignore_case = true)]
    person: Option<Person>,
    /// A person's e-mail address
    #[arg(long, conflicts_with = "person")]
    email: Option<String>,
    /// The person's password; without it the first line of standard input
    #[arg(long, env = "QUITTANCE_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// A code of the person's second factor, or a recovery code; a terminal is asked for it
    #[arg(
        long,
        value_name = "CODE",
        env = "QUITTANCE_OTP",
        hide_env_values = true
    )]
    otp: Option<String>,
    /// A service account's id
    #[arg(long, conflicts_with_all = ["person", "email"])]
    client_id: Option<String>,
    /// The service account's secret; without it the first line of standard input
    #[arg(long, env = "QUITTANCE_CLIENT_SECRET", hide_env_values = true)]
    client_secret: Option<String>,
    /// Where the token passes: over HTTP, or (a service account's) in messages
    #[arg(long, value_parser = audience(), value_name = "AUDIENCE", default_value = Audience::Http.as_str())]
    audience: String,
    /// Print all of the answer: the refresh token, the scopes
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(options: Token, bank: &Bank) -> Result<()> {
    let json = options.json;
    let audience = Audience::from_word(&options.audience).context("a value of the option")?;
    let is_kept =
        options.person.is_none() && options.email.is_none() && options.client_id.is_none();
    let answer = if let (Bank::Elsewhere(there), true) = (bank, is_kept) {
        let token = match audience {
            Audience::Http => there.token(None).await?,
            Audience::Log => there.log_token().await?,
        };
        // The refresh token stays where it is: one that is used twice ends the session.
        json!({"access": token})
    } else {
        let login = asked(options, bank)?.for_audience(audience)?;
        login::log_in(&bank.client(), &login).await?
    };
    if json {
        print::json(&answer)?;
    } else {
        let token = access_token(&answer).context("auth answered without a token")?;
        print::line(token)?;
    }
    Ok(())
}

pub(crate) fn audience() -> PossibleValuesParser {
    PossibleValuesParser::new([Audience::Http, Audience::Log].map(Audience::as_str))
}

fn asked(options: Token, bank: &Bank) -> Result<Login> {
    if let Some(email) = options.email {
        let password = options.password.map_or_else(|| secret("--password"), Ok)?;
        return Ok(Login::person(&email, &password).with_otp(options.otp));
    }
    if let Some(client_id) = options.client_id {
        let client_secret = options
            .client_secret
            .map_or_else(|| secret("--client-secret"), Ok)?;
        return Ok(Login::Program {
            client_id,
            client_secret,
            audience: Audience::Http,
        });
    }
    let person = options.person.unwrap_or(Person::Ada);
    let login = person.login(bank.demo())?;
    Ok(login.with_otp(options.otp))
}

/// The first line of standard input. Nothing is asked: scripts would hang, and a terminal would show what is typed.
pub(crate) fn secret(option: &str) -> Result<String> {
    let input = std::io::stdin();
    if input.is_terminal() {
        bail!("give the secret with {option}, in the environment, or on standard input");
    }
    let mut text = String::new();
    input
        .take(PASSWORD_BYTES_MAX)
        .read_to_string(&mut text)
        .context("standard input is no text")?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        bail!("no secret: neither {option} nor a line on standard input");
    }
    Ok(line.to_owned())
}
