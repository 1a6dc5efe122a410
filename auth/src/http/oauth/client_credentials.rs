//! The grant `client_credentials`: a program's id and secret in, an access token out (RFC 6749 §4.4).
//!
//! No refresh token comes with it: the secret is at hand anyway.

use std::collections::HashMap;

use axum::Json;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use common::service;
use common::token::Audience;
use serde::Serialize;

use super::caller::authenticated;
use super::words::{Error, NO_STORE};
use crate::app::Auth;
use crate::tokens::{self, ACCESS_SECONDS, Subject, Terms};

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
    headers: &HeaderMap,
    parameters: &HashMap<String, String>,
) -> Result<Response, Error> {
    let (client_id, account) = authenticated(auth, headers, parameters).await?;
    let audience = audience(parameters)?;
    let scopes = granted(&account.scopes, parameters.get("scope"))?;
    let subject = Subject::client(client_id, scopes.clone());
    let granted = Granted {
        access_token: tokens::access(
            &auth.keys.signing(),
            subject,
            Terms::longest(audience, service::now()),
        ),
        token_type: "Bearer",
        expires_in: ACCESS_SECONDS,
        scope: scopes,
    };
    Ok((NO_STORE, Json(granted)).into_response())
}

/// Where the token shall pass: the parameter `audience` (RFC 8693 §2.1), HTTP when it is missing.
fn audience(parameters: &HashMap<String, String>) -> Result<Audience, Error> {
    match parameters.get("audience") {
        None => Ok(Audience::Http),
        Some(word) => Audience::from_word(word).ok_or(Error::InvalidTarget),
    }
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
