//! The grant `token-exchange` for a mandate: its id in, a token of the person out that names the program as its actor.
//!
//! A service account gets one for HTTP, and payments, which makes scheduled payments, one for the log. Each is issued while
//! the mandate stands only, lives five minutes and names the mandate as its `sid`, so that ending the mandate ends it.

use std::collections::HashMap;

use axum::http::HeaderMap;
use axum::response::Response;
use common::ids::{AccountId, ClientId};
use common::service;
use common::token::{Audience, Scope};
use uuid::Uuid;

use super::caller::{authenticated, own_service};
use super::client_credentials::TOKEN_SECONDS;
use super::exchange::exchanged;
use super::words::Error;
use crate::app::Auth;
use crate::keys::SigningKey;
use crate::store;
use crate::tokens::{self, Limits, Subject, Terms};

/// The `subject_token_type` of a mandate's id.
pub(super) const MANDATE_TYPE: &str = "urn:quittance:params:oauth:token-type:mandate";

/// Hands out a token of the person who gave the mandate.
pub(super) async fn grant(
    auth: &Auth,
    key: &SigningKey,
    headers: &HeaderMap,
    parameters: &HashMap<String, String>,
) -> Result<Response, Error> {
    let audience = match parameters.get("audience") {
        None => Audience::Http,
        Some(word) => Audience::from_word(word).ok_or(Error::InvalidTarget)?,
    };
    // Only our own services may write into the log for others.
    let actor = match audience {
        Audience::Log => own_service(auth, headers, parameters).await?,
        Audience::Http => authenticated(auth, headers, parameters).await?.client_id,
    };
    let mandate = parameters
        .get("subject_token")
        .ok_or(Error::InvalidRequest("subject_token is missing"))?;
    let mandate: Uuid = mandate.parse().map_err(|_| Error::InvalidGrant)?;
    let now = service::now();
    let mut connection = auth.pool.acquire().await?;
    let standing = store::mandates::standing(&mut connection, mandate, now).await?;
    let standing = standing
        .filter(|standing| standing.mandate.client_id == actor.as_str())
        .ok_or(Error::InvalidGrant)?;
    // Whoever may not pay any more lets nobody else.
    let scope = Scope::PaymentsSubmit.as_str();
    if !standing.scopes.split(' ').any(|one| one == scope) {
        return Err(Error::InvalidGrant);
    }
    let mandate = standing.mandate;
    let terms = Terms::behind(standing.tokens_valid_after, audience, now);
    let until = mandate.expires_at.map_or(i64::MAX, |at| at.timestamp());
    let expires_at = (terms.issued_at + TOKEN_SECONDS).min(until);
    if expires_at <= terms.issued_at {
        return Err(Error::InvalidGrant);
    }
    let subject = Subject {
        sub: mandate.user_id.to_string(),
        client_id: ClientId::of_user(mandate.user_id),
        scopes: scope.to_owned(),
        sid: Some(mandate.id),
        limits: Limits {
            payment_max: mandate.payment_max.map(|maxima| maxima.0),
            accounts: mandate
                .accounts
                .map(|ids| ids.into_iter().map(AccountId).collect()),
        },
        actor: Some(actor.to_string()),
    };
    let terms = Terms {
        expires_at,
        ..terms
    };
    let token = tokens::access(key, subject, terms);
    let expires_in = expires_at - now.timestamp();
    Ok(exchanged(token, expires_in, scope.to_owned()))
}
