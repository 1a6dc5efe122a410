//! `/api/keys`: the signing keys and their lives, for administrators.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use common::http::problem::Problem;
use common::token::Scope;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::app::Auth;
use crate::keys::administration::Error;
use crate::keys::public::PublicHalf;
use crate::store;
use crate::store::keys::StoredKey;

const ADMINS: &[Scope] = &[Scope::AuthAdmin];

pub(super) fn routes() -> Router<Arc<Auth>> {
    Router::new()
        .route("/api/keys", get(list))
        .route("/api/keys/rotate", post(rotate))
        .route("/api/keys/rewrap", post(rewrap))
        .route("/api/keys/import", post(import))
        .route("/api/keys/{kid}/revoke", post(revoke))
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

/// `GET /api/keys`: every key there ever was.
async fn list(Shared(auth): Shared<Arc<Auth>>, headers: HeaderMap) -> Result<Json<Keys>, Problem> {
    auth.caller(&headers, ADMINS).await?;
    all(&auth).await
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Rotation {
    /// It signs as soon as the ledger has noted it, also when verifiers that fetch keys over HTTP may not know it yet.
    #[serde(default)]
    at_once: bool,
}

/// `POST /api/keys/rotate`: the next key is made, unless there is one.
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

/// `POST /api/keys/{kid}/revoke`: nothing that it signed counts from now on. The caller's own token may be among that.
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

/// `POST /api/keys/rewrap`: seals by the first key encryption key what another sealed.
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
struct Imported {
    /// The public half: a JWK (an object), or PEM (a text).
    public_key: Value,
}

/// `POST /api/keys/import`: the public half of another system's key, whose refresh tokens are taken for a day.
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
