//! What the endpoints take and give, for their descriptions. Bodies are read by `words`, as Django REST framework reads them.

use std::collections::BTreeMap;

use common::http::describe::answers::{self, Reply};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::IntoResponses;
use utoipa::openapi::RefOr;
use utoipa::openapi::response::Response;

/// What somebody logs in with.
#[derive(Deserialize, JsonSchema)]
#[schemars(example = json!({"email": "ada@demo.quittance", "password": "…"}))]
#[expect(dead_code, reason = "only described")]
pub(super) struct Credentials {
    #[schemars(length(min = 1))]
    email: String,
    #[schemars(length(min = 1))]
    password: String,
    /// A code of the authenticator, or a recovery code, for those who have a second factor.
    otp: Option<String>,
}

/// A refresh token.
#[derive(Deserialize, JsonSchema)]
#[schemars(example = json!({"refresh": "eyJ…"}))]
#[expect(dead_code, reason = "only described")]
pub(super) struct RefreshToken {
    #[schemars(length(min = 1))]
    refresh: String,
}

/// A token.
#[derive(Deserialize, JsonSchema)]
#[schemars(example = json!({"token": "eyJ…"}))]
#[expect(dead_code, reason = "only described")]
pub(super) struct AnyToken {
    #[schemars(length(min = 1))]
    token: String,
}

/// Nothing: the status says it all.
#[derive(Serialize, JsonSchema)]
pub(super) struct Nothing {}

/// What is wrong, in the words of Django REST framework.
#[derive(Serialize, JsonSchema)]
pub(super) struct Detail {
    detail: String,
    /// For programs, such as `token_not_valid` or `otp_required`.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// What each class of tokens said about a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Vec<BTreeMap<String, String>>>,
}

/// What is wrong with the body as a whole, or with each field.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only described")]
pub(super) enum Invalid {
    Whole { detail: String },
    Fields(BTreeMap<String, Vec<String>>),
}

/// The refusals that every endpoint has.
pub(super) struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        answers::all([
            Reply::<400, Invalid>::responses(),
            Reply::<401, Detail>::responses(),
            Reply::<413, Detail>::responses(),
            Reply::<415, Detail>::responses(),
            Reply::<503, Detail>::responses(),
        ])
    }
}
