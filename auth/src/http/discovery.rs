//! What verifiers fetch: the public keys.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use common::http::problem::Problem;
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::Auth;
use crate::store;

pub(super) fn routes() -> Router<Arc<Auth>> {
    Router::new().route("/.well-known/jwks.json", get(jwks))
}

/// The public keys. Source: RFC 7517.
#[derive(Debug, Serialize, JsonSchema)]
struct KeySet {
    keys: Vec<PublicKey>,
}

/// An RSA public key that tokens are signed with.
#[derive(Debug, Serialize, JsonSchema)]
struct PublicKey {
    kty: &'static str,
    #[serde(rename = "use")]
    used_for: &'static str,
    alg: &'static str,
    /// RFC 7638 thumbprint.
    kid: String,
    /// Modulus, base64url.
    n: String,
    /// Exponent, base64url.
    e: String,
}

/// `GET /.well-known/jwks.json`.
async fn jwks(State(auth): State<Arc<Auth>>) -> Result<Response, Problem> {
    let keys = store::keys::public_keys(&auth.pool).await?;
    let keys = keys.into_iter().map(|key| PublicKey {
        kty: "RSA",
        used_for: "sig",
        alg: "RS256",
        kid: key.kid,
        n: key.n,
        e: key.e,
    });
    let set = KeySet {
        keys: keys.collect(),
    };
    let cache = [(header::CACHE_CONTROL, "public, max-age=600")];
    Ok((cache, Json(set)).into_response())
}
