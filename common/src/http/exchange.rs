//! Tokens for the log: a caller's token passes over HTTP only, so what goes into the log under it gets another one.
//!
//! auth exchanges it (RFC 8693): the same person or program, the same scopes and limits, the same end, but worthless over
//! HTTP, so that whoever reads the log can do nothing with it. It is asked for once per token, by one request however many
//! come at a time, and remembered as long as the token is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use reqwest::header;
use serde::Deserialize;
use tokio::sync::OnceCell;

use super::caller::Caller;
use super::problem::Problem;
use crate::service::{Exchange, Secret};
use crate::token::{Audience, Header, TokenError};

/// The grant. Source: RFC 8693 §2.1.
pub const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// What is exchanged and what comes of it. Source: RFC 8693 §3.
pub const ACCESS_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";

/// A healthy auth answers within milliseconds, and a caller waits.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Most tokens remembered, at about 2 kB each: 32 MB. When it is full it starts anew.
const TOKENS_MAX: usize = 16_384;

/// Exchanges callers' tokens for tokens of the log.
pub struct LogTokens {
    http: reqwest::Client,
    url: String,
    client_id: &'static str,
    secret: Secret,
    known: Mutex<HashMap<String, Arc<OnceCell<LogToken>>>>,
}

/// A token for the log.
#[derive(Debug, Clone)]
pub struct LogToken {
    /// As it goes into the log.
    pub text: Arc<str>,
    /// The key that signed it, which may be a newer one than the caller's token has.
    pub kid: Arc<str>,
}

impl LogTokens {
    /// Exchanges as this service.
    ///
    /// # Errors
    /// When the system offers no randomness or memory for a client.
    pub fn new(client_id: &'static str, config: Exchange) -> reqwest::Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            // The image has no authorities: asking for them would be an error.
            .tls_certs_only([])
            .timeout(TIMEOUT)
            .build()?;
        Ok(Self {
            http,
            url: format!("{}/oauth2/token", config.auth_url.trim_end_matches('/')),
            client_id,
            secret: config.exchange_secret,
            known: Mutex::default(),
        })
    }

    /// The token under which the caller's requests go into the log.
    ///
    /// # Errors
    /// 401 when auth says that the caller's token counts no more, 503 when auth does not answer.
    pub async fn of(&self, caller: &Caller<'_>) -> Result<LogToken, Problem> {
        let cell = self.cell(caller.token);
        let token = cell.get_or_try_init(|| self.exchange(caller.token)).await?;
        Ok(token.clone())
    }

    /// Asks for another one when the caller comes again: the key that signed this one was revoked.
    pub fn forget(&self, caller: &Caller<'_>) {
        self.lock().remove(caller.token);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<OnceCell<LogToken>>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cell(&self, token: &str) -> Arc<OnceCell<LogToken>> {
        let mut known = self.lock();
        if let Some(cell) = known.get(token) {
            return cell.clone();
        }
        if known.len() >= TOKENS_MAX {
            known.clear();
        }
        let cell = Arc::<OnceCell<_>>::default();
        known.insert(token.to_owned(), cell.clone());
        cell
    }

    async fn exchange(&self, token: &str) -> Result<LogToken, Problem> {
        #[derive(Deserialize)]
        struct Granted {
            access_token: String,
        }
        #[derive(Deserialize)]
        struct Refused {
            error: String,
        }
        let parameters = [
            ("grant_type", GRANT_TYPE),
            ("subject_token", token),
            ("subject_token_type", ACCESS_TOKEN_TYPE),
            ("audience", Audience::Log.as_str()),
        ];
        let unavailable = |error: &dyn std::fmt::Display| Problem::unavailable("auth", error);
        let answer = self
            .http
            .post(&self.url)
            .basic_auth(self.client_id, Some(self.secret.expose()))
            .form(&parameters)
            .send()
            .await
            // The error names the address, which is ours.
            .map_err(|error| unavailable(&error.without_url()))?;
        let status = answer.status();
        if status.is_success() {
            let granted: Granted = answer
                .json()
                .await
                .map_err(|error| unavailable(&error.without_url()))?;
            let header = Header::of(&granted.access_token).map_err(|error| unavailable(&error))?;
            return Ok(LogToken {
                text: granted.access_token.into(),
                kid: header.kid.into(),
            });
        }
        let retry_after = answer.headers().get(header::RETRY_AFTER).cloned();
        match answer.json::<Refused>().await {
            // Only the caller's token can be that. Ours being refused is a mistake of whoever set this up.
            Ok(Refused { error })
                if status == StatusCode::BAD_REQUEST && error == "invalid_grant" =>
            {
                Err(Problem::unauthorized(TokenError::Revoked))
            }
            Ok(Refused { error }) => {
                Err(unavailable(&format!("{status}: {error}, {retry_after:?}")))
            }
            Err(_) => Err(unavailable(&status)),
        }
    }
}
