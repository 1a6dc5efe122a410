//! What the endpoints take and give, for their descriptions. Parameters are read by `words`.

use std::collections::BTreeMap;

use common::http::describe::answers::{self, Reply};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::IntoResponses;
use utoipa::openapi::RefOr;
use utoipa::openapi::response::Response;

/// What a token is asked for with.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "TokenRequest", example = json!({"grant_type": "client_credentials", "scope": "payments:read"}))]
#[expect(dead_code, reason = "only described")]
pub(super) struct Grant {
    /// `client_credentials` or `urn:ietf:params:oauth:grant-type:token-exchange`.
    grant_type: String,
    /// Everything that the client may have when absent; several with spaces.
    scope: Option<String>,
    /// `quittance` for HTTP, or `quittance-log` for messages.
    audience: Option<String>,
    /// Unless it stands in `Authorization: Basic`.
    client_id: Option<String>,
    client_secret: Option<String>,
    /// `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`, for a client with a key (RFC 7523).
    client_assertion_type: Option<String>,
    client_assertion: Option<String>,
    /// What is exchanged: a token, or a mandate's id.
    subject_token: Option<String>,
    subject_token_type: Option<String>,
}

/// A token to end or to ask about.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "PresentedToken", example = json!({"token": "eyJ…"}))]
#[expect(dead_code, reason = "only described")]
pub(super) struct Presented {
    token: String,
    token_type_hint: Option<String>,
    /// Unless it stands in `Authorization: Basic`.
    client_id: Option<String>,
    client_secret: Option<String>,
    client_assertion_type: Option<String>,
    client_assertion: Option<String>,
}

/// A token for a program.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AccessToken")]
pub(super) struct Token {
    access_token: String,
    token_type: String,
    /// In seconds.
    expires_in: i64,
    scope: String,
    /// Of an exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_token_type: Option<String>,
}

/// Whether a token counts, and then its claims.
#[derive(Serialize, JsonSchema)]
pub(super) struct Introspection {
    active: bool,
    #[serde(flatten)]
    claims: Map<String, Value>,
}

/// What is wrong, in the words of RFC 6749.
#[derive(Serialize, JsonSchema)]
pub(super) struct OAuthError {
    /// Such as `invalid_client`.
    error: String,
    error_description: String,
}

/// The refusals that every endpoint has.
pub(super) struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        answers::all([
            Reply::<400, OAuthError>::responses(),
            Reply::<401, OAuthError>::responses(),
            Reply::<413, OAuthError>::responses(),
            Reply::<429, OAuthError>::responses(),
            Reply::<503, OAuthError>::responses(),
        ])
    }
}
