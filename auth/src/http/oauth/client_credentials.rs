//! The grant `client_credentials`: a program's proof in, an access token out (RFC 6749 §4.4).
//!
//! No refresh token comes with it: the secret or the key is at hand anyway. The token names the credential that it was
//! issued for as its `sid`, so that deleting the credential ends its tokens and no others.

use std::collections::HashMap;

use axum::Json;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use common::ids::AccountId;
use common::token::Audience;
use serde::Serialize;

use super::caller::authenticated;
use super::words::{Error, NO_STORE};
use crate::app::Auth;
use crate::keys::SigningKey;
use crate::tokens::{self, Limits, Subject, Terms};

/// Life of a program's token, in seconds. Another is had at any time.
pub(super) const TOKEN_SECONDS: i64 = 300;

#[derive(Serialize)]
struct Granted {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    scope: String,
}

/// Hands out a token.
pub(super) async fn grant(
    auth: &Auth,
    key: &SigningKey,
    headers: &HeaderMap,
    parameters: &HashMap<String, String>,
) -> Result<Response, Error> {
    let program = authenticated(auth, headers, parameters).await?;
    let account = program.account;
    let audience = audience(parameters, account.audience.as_deref())?;
    let scopes = granted(&account.scopes, parameters.get("scope"))?;
    let subject = Subject {
        sid: Some(program.credential),
        limits: Limits {
            payment_max: account.payment_max.map(|maxima| maxima.0),
            accounts: account
                .accounts
                .map(|ids| ids.into_iter().map(AccountId).collect()),
        },
        ..Subject::client(program.client_id, scopes.clone())
    };
    // The database's clock before it showed the account as active: a deactivation that this did not see is later.
    let issued_at = account.asked_at.max(account.tokens_valid_after + 1);
    let terms = Terms {
        audience,
        issued_at,
        expires_at: issued_at + TOKEN_SECONDS,
    };
    let granted = Granted {
        access_token: tokens::access(key, subject, terms),
        token_type: "Bearer",
        expires_in: TOKEN_SECONDS,
        scope: scopes,
    };
    Ok((NO_STORE, Json(granted)).into_response())
}

/// Where the token shall pass: the parameter `audience` (RFC 8693 §2.1). When it is missing, where the account's tokens
/// must pass, or else over HTTP.
///
/// RFC 8707's `resource` is refused: ignored, it would give a token for something else than what was asked for.
fn audience(parameters: &HashMap<String, String>, only: Option<&str>) -> Result<Audience, Error> {
    let only = only.and_then(Audience::from_word);
    let asked = match parameters.get("audience") {
        None => only.unwrap_or(Audience::Http),
        Some(word) => Audience::from_word(word).ok_or(Error::InvalidTarget)?,
    };
    if parameters.contains_key("resource") || only.is_some_and(|only| only != asked) {
        return Err(Error::InvalidTarget);
    }
    Ok(asked)
}

/// What is asked for, if it is all within `allowed`; everything when nothing is asked for.
fn granted(allowed: &str, asked: Option<&String>) -> Result<String, Error> {
    let allowed: Vec<_> = allowed.split_ascii_whitespace().collect();
    let Some(asked) = asked else {
        return Ok(allowed.join(" "));
    };
    let mut scopes = Vec::new();
    for scope in asked.split(' ').filter(|scope| !scope.is_empty()) {
        if !allowed.contains(&scope) {
            return Err(Error::InvalidScope);
        }
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    if scopes.is_empty() {
        return Err(Error::InvalidScope);
    }
    Ok(scopes.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_no_more_than_it_may_have() {
        let allowed = "payments:read accounts:read";
        for (asked, expected) in [
            (None, Ok(allowed)),
            (Some("accounts:read"), Ok("accounts:read")),
            (Some("accounts:read  accounts:read"), Ok("accounts:read")),
            (
                Some("accounts:read payments:read"),
                Ok("accounts:read payments:read"),
            ),
            (Some("accounts:read auth:admin"), Err(Error::InvalidScope)),
            (Some("accounts"), Err(Error::InvalidScope)),
            (Some(" "), Err(Error::InvalidScope)),
        ] {
            let asked = asked.map(str::to_owned);
            assert_eq!(
                granted(allowed, asked.as_ref()),
                expected.map(str::to_owned),
                "{asked:?}"
            );
        }
    }
}
