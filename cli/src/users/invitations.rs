//! `quittance users invite`, `reset` and `accept`: codes that are used once, so that no administrator knows a password.

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::{Value, json};

use super::{Named, Role, caller, id};
use crate::asking::Asking;
use crate::bank::Bank;
use crate::print;
use crate::token::secret;

/// Options of `quittance users invite`.
#[derive(Debug, Args)]
pub(crate) struct Invite {
    /// The e-mail address to log in with
    email: String,
    /// What the person is to the bank
    #[arg(long, value_enum, value_name = "ROLE", default_value = "customer")]
    role: Role,
    #[command(flatten)]
    asking: Asking,
}

/// Options of `quittance users accept`.
#[derive(Debug, Args)]
pub(crate) struct Accept {
    /// The code of an invitation or a reset
    code: String,
    /// The password from now on; without it the first line of standard input
    #[arg(long, env = "QUITTANCE_PASSWORD", hide_env_values = true)]
    password: Option<String>,
}

pub(super) async fn invite(options: Invite, bank: &Bank) -> Result<()> {
    let (client, token) = caller(&options.asking, bank).await?;
    let body = json!({"email": options.email, "role": options.role.word()?});
    told(&client.invite(&token, &body).await?, &options.asking)
}

pub(super) async fn reset(named: &Named, bank: &Bank) -> Result<()> {
    let (client, token) = caller(&named.asking, bank).await?;
    let id = id(&client, &token, &named.user).await?;
    let code = client.change_user(&token, &id, "reset", None).await?;
    told(&code, &named.asking)
}

pub(super) async fn accept(options: Accept, bank: &Bank) -> Result<()> {
    let password = options.password.map_or_else(|| secret("--password"), Ok)?;
    let client = bank.client();
    let body = json!({"code": options.code, "password": password});
    let accepted = client.accept(&body).await?;
    let email = accepted["email"].as_str();
    let email = print::readable(email.context("auth answered in an unknown form")?);
    Ok(print::line(&format!(
        "{email} logs in with this password."
    ))?)
}

fn told(code: &Value, asking: &Asking) -> Result<()> {
    if asking.json {
        return Ok(print::json(code)?);
    }
    let text = |name: &str| {
        let text = code[name].as_str();
        text.context("auth answered in an unknown form")
    };
    let until = text("expires_at")?;
    let until = until.get(..16).unwrap_or(until).replace('T', " ");
    print::line(&print::pairs(&[
        ("email", print::readable(text("email")?)),
        ("code", text("code")?.to_owned()),
        ("good until", format!("{until} UTC, once")),
    ]))?;
    Ok(())
}
