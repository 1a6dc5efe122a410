//! The endpoints: SimpleJWT's (`/api/token/…`), OAuth2's (`/oauth2/…`), what verifiers fetch (`/.well-known/…`).
//!
//! People, sessions and what happened are our own API, with problem documents.
//!
//! A request comes in as bytes of at most 16 KiB. Each world words what is wrong in its own way.

pub(crate) mod address;
pub(crate) mod caller;

mod audit;
mod keys;
mod logs;
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
use common::http::describe::{self, Service};
use common::token::Scope;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;

use crate::app::Auth;

/// Largest body, in bytes: a refresh token has under 1 KiB and a password may be long.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// Whoever has a token: about oneself there is no scope.
const EVERYBODY: &[Scope] = Scope::ALL;

const SERVICE: Service = Service {
    name: "auth",
    title: "Quittance auth",
    description: "Who people and programs are: tokens, sessions, service accounts, signing keys. `/api/token/…` and \
                  `/api/users/me/` answer in the words of SimpleJWT, `/oauth2/…` in those of RFC 6749, the rest with \
                  problem documents.",
    answers_late_bodies: false,
    tags: &[
        (
            "Tokens",
            "People log in, as with Django REST framework's SimpleJWT.",
        ),
        (
            "OAuth2",
            "Programs get tokens, end them and ask about them.",
        ),
        (
            "Discovery",
            "What verifiers and clients fetch to configure themselves.",
        ),
        ("People", "Who there is, and who may log in."),
        (
            "Second factor",
            "Codes of an authenticator, on top of a password.",
        ),
        ("Sessions", "What is logged in, and ending it."),
        ("Mandates", "Whom a person lets pay in their name."),
        (
            "Service accounts",
            "Programs, and how they prove who they are.",
        ),
        ("Keys", "What tokens are signed with."),
        ("Audit", "What happened here."),
        ("Logs", "What services logged."),
    ],
};

/// The routes of auth.
pub(crate) fn routes(auth: Arc<Auth>) -> Router {
    let address = from_fn_with_state(auth.clone(), address::find);
    describe::described(&SERVICE, api().layer(address), auth)
}

/// The OpenAPI document of auth.
#[must_use]
pub fn openapi() -> Value {
    describe::document(&SERVICE, &api())
}

fn api() -> OpenApiRouter<Arc<Auth>> {
    OpenApiRouter::new()
        .merge(simplejwt::routes())
        .merge(oauth::routes())
        .merge(discovery::routes())
        .merge(audit::routes())
        .merge(logs::routes())
        .merge(sessions::routes())
        .merge(users::routes())
        .merge(metadata::routes())
        .merge(clients::routes())
        .merge(keys::routes())
        .merge(mandates::routes())
        .merge(owners::routes())
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn(hurry_body))
}
