//! Getting a token for a command. Whoever sits at a terminal is asked for the code of a second factor.

use anyhow::{Context as _, Result};
use client::{Client, Login, access_token, needs_code};
use serde_json::Value;

use crate::failure::{Exit, Hinted as _, refusal};
use crate::prompt;

/// The whole answer of auth.
pub(crate) async fn log_in(client: &Client, login: &Login) -> Result<Value> {
    let answer = match client.log_in(login).await {
        Err(error) if needs_code(&error) => match prompt::code()? {
            Some(code) => client.log_in(&login.clone().with_otp(Some(code))).await,
            None => {
                let hint = "give a code of the authenticator in QUITTANCE_OTP";
                return Err(error).hint(hint).context("no token");
            }
        },
        answer => answer,
    };
    let answer = answer.context("no token");
    // A wrong password says nothing about a log-in that is kept.
    match &answer {
        Err(error) if refusal(error).is_some_and(|refused| refused.status == 401) => {
            answer.exit(Exit::Failed)
        }
        Ok(_) | Err(_) => answer,
    }
}

/// The access token alone.
pub(crate) async fn token(client: &Client, login: &Login) -> Result<String> {
    let answer = log_in(client, login).await?;
    let token = access_token(&answer).context("auth answered without a token")?;
    Ok(token.to_owned())
}
