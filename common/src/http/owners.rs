//! Whether the owner of a new account is somebody: a person or a service account that auth knows.
//!
//! Only here, before the request goes into the log: the ledger decides by the log alone, and asks nobody.

use std::time::Duration;

use axum::http::StatusCode;
use reqwest::Url;

use super::caller::Caller;
use super::problem::Problem;
use crate::ids::{OWNER_BANK, owner_spelling};
use crate::token::TokenError;

/// A healthy auth answers within milliseconds, and a caller waits.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Longest id of a program; a person's is shorter.
const OWNER_BYTES_MAX: usize = 64;

/// Why auth can't be asked.
#[derive(Debug, thiserror::Error)]
pub enum BadAuth {
    /// Its address is none.
    #[error("the address of auth: {0}")]
    Address(String),
    /// There is no client.
    #[error(transparent)]
    Client(#[from] reqwest::Error),
}

/// Asks auth who exists.
pub struct Owners {
    http: reqwest::Client,
    auth: Url,
}

impl Owners {
    /// Asks the auth at this address.
    ///
    /// # Errors
    /// When the address is none, or the system offers no randomness or memory for a client.
    pub fn new(auth_url: &str) -> Result<Self, BadAuth> {
        let http = reqwest::Client::builder()
            .no_proxy()
            // The image has no authorities: asking for them would be an error.
            .tls_certs_only([])
            .timeout(TIMEOUT)
            .build()?;
        let auth = Url::parse(auth_url).map_err(|error| BadAuth::Address(error.to_string()))?;
        Ok(Self { http, auth })
    }

    /// The owner in the one spelling, if it is the bank, the caller, or somebody whom auth knows.
    ///
    /// # Errors
    /// 422 when it is nobody, 503 when auth does not answer.
    pub async fn known(&self, caller: &Caller<'_>, owner: &str) -> Result<String, Problem> {
        let owner = owner_spelling(owner).into_owned();
        if owner == OWNER_BANK || owner == caller.claims().sub {
            return Ok(owner);
        }
        let nobody = || {
            let text = "owner: no person and no service account has this id";
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, text).with(
                "hint",
                "a person's id is in `quittance users list --json`, a program's is its client_id",
            )
        };
        if owner.is_empty() || owner.len() > OWNER_BYTES_MAX {
            return Err(nobody());
        }
        let unavailable = |error: &dyn std::fmt::Display| Problem::unavailable("auth", error);
        let mut url = self.auth.clone();
        // As one segment, whatever is in it.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["api", "owners", &owner]);
        }
        let answer = self.http.get(url).bearer_auth(caller.token).send().await;
        let answer = answer.map_err(|error| unavailable(&error.without_url()))?;
        match answer.status() {
            StatusCode::OK => Ok(owner),
            StatusCode::NOT_FOUND => Err(nobody()),
            // Auth knows of a revocation before the ledger does.
            StatusCode::UNAUTHORIZED => Err(Problem::unauthorized(TokenError::Revoked)),
            status => Err(unavailable(&status)),
        }
    }
}
