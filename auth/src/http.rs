//! The endpoints: SimpleJWT's (`/api/token/…`), OAuth2's (`/oauth2/…`), what verifiers fetch (`/.well-known/…`).
//!
//! People, sessions and what happened are our own API, with problem documents.
//!
//! A request comes in as bytes of at most 16 KiB. Each world words what is wrong in its own way.

pub(crate) mod address;
pub(crate) mod caller;

mod audit;
mod keys;
mod mandates;
mod owners;
mod sessions;
mod users;

mod clients;
mod discovery;
mod metadata;
mod oauth;
mod simplejwt;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use common::http::body::hurry_body;
use common::token::Scope;

use crate::app::Auth;

/// Largest body, in bytes: a refresh token has under 1 KiB and a password may be long.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// Whoever has a token: about oneself there is no scope.
const EVERYBODY: &[Scope] = &[
    Scope::PaymentsSubmit,
    Scope::PaymentsSubmitAny,
    Scope::PaymentsRead,
    Scope::AccountsRead,
    Scope::AccountsWrite,
    Scope::BankOperate,
    Scope::AuthAdmin,
    Scope::AuditRead,
];

pub(crate) fn routes(auth: Arc<Auth>) -> Router {
    Router::new()
        .merge(simplejwt::routes())
        .merge(oauth::routes())
        .merge(discovery::routes())
        .merge(audit::routes())
        .merge(sessions::routes())
        .merge(users::routes())
        .merge(metadata::routes())
        .merge(clients::routes())
        .merge(keys::routes())
        .merge(mandates::routes())
        .merge(owners::routes())
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn(hurry_body))
        .layer(from_fn_with_state(auth.clone(), address::find))
        .with_state(auth)
}
