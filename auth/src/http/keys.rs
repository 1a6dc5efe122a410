//! `/api/keys`: the signing keys and their lives, for administrators.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use common::http::describe::answers::{Problems, Reply};
use common::http::describe::{Body, MaybeBody};
use common::http::problem::Problem;
use common::token::Scope;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::Auth;
use crate::keys::administration::Error;
use crate::keys::public::PublicHalf;
use crate::store;
use crate::store::keys::StoredKey;

const ADMINS: &[Scope] = &[Scope::AuthAdmin];

pub(super) fn routes() -> OpenApiRouter<Arc<Auth>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(rotate))
        .routes(routes!(rewrap))
        .routes(routes!(import))
        .routes(routes!(revoke))
}

/// A signing key and its life. Nothing of its private half is shown.
#[derive(Debug, Serialize, JsonSchema)]
struct Key {
    /// RFC 7638 thumbprint.
    kid: String,
    /// `pending`, `active`, `retiring`, `retired` or `revoked`.
    state: String,
    created_at: DateTime<Utc>,
    /// When a pending one may sign.
    activates_at: Option<DateTime<Utc>>,
    activated_at: Option<DateTime<Utc>>,
    /// When it stopped signing.
    retiring_at: Option<DateTime<Utc>>,
    /// When its last tokens are over.
    retires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    /// Where the log announces it.
    announced_seq: Option<i64>,
    /// Another system's.
    is_imported: bool,
    /// Whether its private half is still here.
    has_private_half: bool,
}

impl From<StoredKey> for Key {
    fn from(key: StoredKey) -> Self {
        Self {
            kid: key.kid,
            state: key.state,
            created_at: key.created_at,
            activates_at: key.activates_at,
            activated_at: key.activated_at,
            retiring_at: key.retiring_at,
            retires_at: key.retires_at,
            revoked_at: key.revoked_at,
            announced_seq: key.announced_seq,
            is_imported: key.is_imported,
            has_private_half: key.private_sealed.is_some(),
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
struct Keys {
    /// The newest first.
    keys: Vec<Key>,
}

/// List signing keys
///
/// Every key there ever was, the newest first. Nothing of a private half is shown.
#[utoipa::path(
    get,
    path = "/api/keys",
    tag = "Keys",
    responses(Reply<200, Keys>),
    security(("bearer" = ["auth:admin"])),
)]
async fn list(Shared(auth): Shared<Arc<Auth>>, headers: HeaderMap) -> Result<Json<Keys>, Problem> {
    auth.caller(&headers, ADMINS).await?;
    all(&auth).await
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"at_once": false}))]
struct Rotation {
    /// It signs as soon as the ledger has noted it, also when verifiers that fetch keys over HTTP may not know it yet.
    #[serde(default)]
    at_once: bool,
}

/// Rotate
///
/// The next key is made, unless there is one. It signs when verifiers had time to fetch it, or with `at_once` as soon
/// as the ledger has noted it.
#[utoipa::path(
    post,
    path = "/api/keys/rotate",
    tag = "Keys",
    params(MaybeBody<Rotation>),
    responses(Reply<200, Keys>),
    security(("bearer" = ["auth:admin"])),
)]
async fn rotate(
    Shared(auth): Shared<Arc<Auth>>,
    headers: HeaderMap,
    body: Result<Option<Json<Rotation>>, JsonRejection>,
) -> Result<Json<Keys>, Problem> {
    let caller = auth.caller(&headers, ADMINS).await?;
    let rotation = body?.map(|Json(rotation)| rotation).unwrap_or_default();
    let actor = caller.claims().client_id.as_str();
    let rotated = auth.keys.rotate(&auth.pool, rotation.at_once, actor).await;
    rotated.map_err(|error| failed(&error))?;
    all(&auth).await
}

/// Revoke a key
///
/// Nothing that it signed counts from now on. The caller's own token may be among that.
#[utoipa::path(
    post,
    path = "/api/keys/{kid}/revoke",
    tag = "Keys",
    params(("kid" = String, Path, description = "The key's RFC 7638 thumbprint.", example = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")),
    responses(Reply<200, Keys>, Problems<404>, Problems<409>),
    security(("bearer" = ["auth:admin"])),
)]
async fn revoke(
    Shared(auth): Shared<Arc<Auth>>,
    headers: HeaderMap,
    Path(kid): Path<String>,
) -> Result<Json<Keys>, Problem> {
    let caller = auth.caller(&headers, ADMINS).await?;
    let actor = caller.claims().client_id.as_str();
    auth.keys.revoke(&auth.pool, &kid, actor).await?;
    auth.callers.refresh().await?;
    auth.until_key_revoked(&kid).await?;
    all(&auth).await
}

#[derive(Debug, Serialize, JsonSchema)]
struct Rewrapped {
    /// How many private halves and second factors another key encryption key had sealed.
    rewrapped: u64,
}

/// Seal again
///
/// Seals by the first key encryption key what another sealed, so that the other one can be taken away.
#[utoipa::path(
    post,
    path = "/api/keys/rewrap",
    tag = "Keys",
    responses(Reply<200, Rewrapped>),
    security(("bearer" = ["auth:admin"])),
)]
async fn rewrap(
    Shared(auth): Shared<Arc<Auth>>,
    headers: HeaderMap,
) -> Result<Json<Rewrapped>, Problem> {
    let caller = auth.caller(&headers, ADMINS).await?;
    let actor = caller.claims().client_id.as_str();
    let rewrapped = auth.keys.rewrap(&auth.pool, actor).await;
    let rewrapped = rewrapped.map_err(|error| failed(&error))?;
    Ok(Json(Rewrapped { rewrapped }))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ImportedKey", example = serde_json::json!({"public_key": {"kty": "RSA", "n": "…", "e": "AQAB"}}))]
struct Imported {
    /// The public half: a JWK (an object), or PEM (a text).
    public_key: Value,
}

/// Import a key
///
/// The public half of another system's key, whose refresh tokens are taken for a day. `200` when it is there already.
#[utoipa::path(
    post,
    path = "/api/keys/import",
    tag = "Keys",
    params(Body<Imported>),
    responses(Reply<201, Keys>, Reply<200, Keys>, Problems<409>),
    security(("bearer" = ["auth:admin"])),
)]
async fn import(
    Shared(auth): Shared<Arc<Auth>>,
    headers: HeaderMap,
    body: Result<Json<Imported>, JsonRejection>,
) -> Result<Response, Problem> {
    let caller = auth.caller(&headers, ADMINS).await?;
    let Json(imported) = body?;
    let key = PublicHalf::read(&imported.public_key)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("public_key: {error}")))?;
    let actor = caller.claims().client_id.as_str();
    let is_new = auth.keys.import(&auth.pool, &key, actor).await?;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, all(&auth).await?).into_response())
}

async fn all(auth: &Auth) -> Result<Json<Keys>, Problem> {
    let keys = store::keys::all(&auth.pool).await?;
    let keys = keys.into_iter().rev().map(Key::from).collect();
    Ok(Json(Keys { keys }))
}

fn failed(error: &anyhow::Error) -> Problem {
    Problem::unavailable("keys", &format!("{error:#}"))
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Unknown => Self::new(StatusCode::NOT_FOUND, error.to_string()),
            Error::First | Error::Ours => Self::new(StatusCode::CONFLICT, error.to_string()),
            Error::Failed(error) => failed(&error),
        }
    }
}
