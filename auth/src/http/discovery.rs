//! What verifiers fetch: the public keys.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::http::describe::answers::{Problems, Reply, Tagged};
use common::http::describe::headers::IfNoneMatch;
use common::http::problem::Problem;
use schemars::JsonSchema;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::Auth;
use crate::keys::lifecycle::{KEY_SET_MAX_AGE, State};
use crate::store;
use crate::store::keys::StoredKey;

pub(super) fn routes() -> OpenApiRouter<Arc<Auth>> {
    OpenApiRouter::new().routes(routes!(jwks))
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

/// The public keys
///
/// A JWK set (RFC 7517): the key that signs, those whose tokens may still be alive, and the one that comes next.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    tag = "Discovery",
    params(IfNoneMatch),
    responses(Tagged<200, KeySet>, Reply<304, ()>, Problems<503>),
)]
async fn jwks(Shared(auth): Shared<Arc<Auth>>, headers: HeaderMap) -> Result<Response, Problem> {
    let keys = store::keys::all(&auth.pool).await?;
    // Another system's key signs nothing that a verifier of ours should take.
    let is_shown = |key: &StoredKey| {
        !key.is_imported && State::from_word(&key.state).is_some_and(State::is_shown)
    };
    // The newest first.
    let keys = keys
        .into_iter()
        .rev()
        .filter(is_shown)
        .map(|key| PublicKey {
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
    let body = serde_json::to_vec(&set).map_err(|error| Problem::unavailable("keys", &error))?;
    let tag = digest(&SHA256, &body);
    let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(tag));
    let is_known = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|known| known.trim() == tag || known.trim() == "*");
    let cache = format!("public, max-age={}", KEY_SET_MAX_AGE.as_secs());
    let cache = [(header::CACHE_CONTROL, cache), (header::ETAG, tag)];
    if is_known {
        return Ok((StatusCode::NOT_MODIFIED, cache).into_response());
    }
    let json = [(header::CONTENT_TYPE, "application/json")];
    Ok((cache, json, body).into_response())
}
