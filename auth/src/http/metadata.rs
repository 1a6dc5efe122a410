//! What clients read to configure themselves (RFC 8414), under two names: `OpenID` libraries look for the second. There are no
//! ID tokens here.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use common::http::describe::answers::Reply;
use common::http::exchange::GRANT_TYPE;
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::oauth::token_endpoint;
use crate::app::Auth;

/// The endpoints move with a release only.
const CACHE: &str = "public, max-age=3600";

pub(super) fn routes() -> OpenApiRouter<Arc<Auth>> {
    OpenApiRouter::new()
        .routes(routes!(metadata))
        .routes(routes!(metadata_for_openid))
}

/// Metadata
///
/// Where clients find everything (RFC 8414).
#[utoipa::path(
    get,
    path = "/.well-known/oauth-authorization-server",
    tag = "Discovery",
    responses(Reply<200, Value>),
)]
async fn metadata(State(auth): State<Arc<Auth>>) -> Response {
    let issuer = &auth.keys.issuer;
    let at = |path: &str| format!("{}{path}", issuer.trim_end_matches('/'));
    let methods = [
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
    ];
    let document = json!({
        "issuer": issuer,
        "token_endpoint": token_endpoint(issuer),
        "revocation_endpoint": at("/oauth2/revoke"),
        "introspection_endpoint": at("/oauth2/introspect"),
        "jwks_uri": at("/.well-known/jwks.json"),
        // Nobody is sent here by a browser.
        "response_types_supported": [],
        "grant_types_supported": ["client_credentials", GRANT_TYPE],
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": ["RS256"],
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": ["RS256"],
        "introspection_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_signing_alg_values_supported": ["RS256"],
        "scopes_supported": crate::clients::terms::SCOPES.map(common::token::Scope::as_str),
    });
    ([(header::CACHE_CONTROL, CACHE)], Json(document)).into_response()
}

/// Metadata for OpenID libraries
///
/// The same under the name that they look for. There are no ID tokens here.
#[utoipa::path(
    get,
    path = "/.well-known/openid-configuration",
    tag = "Discovery",
    responses(Reply<200, Value>),
)]
async fn metadata_for_openid(auth: State<Arc<Auth>>) -> Response {
    metadata(auth).await
}
