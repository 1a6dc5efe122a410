//! `/api/service-accounts/…`: service accounts as administrators see and change them. A secret is shown once, when it is made.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use common::http::page::{self, Page};
use common::http::problem::Problem;
use common::ids::{AccountId, ClientId};
use common::service;
use common::token::Scope;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::Auth;
use crate::clients::credentials::Proof;
use crate::clients::terms::Asked;
use crate::clients::{Error, administration, credentials};
use crate::store;

/// Accounts in a list, unless asked for otherwise.
const ROWS_DEFAULT: u32 = 100;
const PATH: &str = "/api/service-accounts/";

pub(super) fn routes() -> Router<Arc<Auth>> {
    Router::new()
        .route("/api/service-accounts", get(list).post(create))
        .route("/api/service-accounts/{id}", get(show).delete(remove))
        .route("/api/service-accounts/{id}/activate", post(activate))
        .route("/api/service-accounts/{id}/deactivate", post(deactivate))
        .route(
            "/api/service-accounts/{id}/credentials",
            post(add_credential),
        )
        .route(
            "/api/service-accounts/{id}/credentials/{credential}",
            delete(remove_credential),
        )
}

/// A service account, never with what its credentials prove.
#[derive(Debug, Serialize)]
struct Account {
    client_id: String,
    name: Option<String>,
    scopes: Vec<String>,
    audience: Option<String>,
    payment_max: Option<BTreeMap<String, String>>,
    accounts: Option<Vec<Uuid>>,
    is_active: bool,
    created_at: DateTime<Utc>,
    credentials: Vec<Credential>,
}

#[derive(Debug, Serialize)]
struct Credential {
    id: Uuid,
    kind: String,
    /// RFC 7638 thumbprint of a key.
    kid: Option<String>,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    /// To the minute.
    last_used_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAccount {
    client_id: String,
    name: Option<String>,
    scopes: Vec<String>,
    audience: Option<String>,
    payment_max: Option<BTreeMap<String, String>>,
    accounts: Option<Vec<AccountId>>,
    #[serde(default)]
    credential: NewCredential,
}

/// A secret of ours, unless the program brings a key.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewCredential {
    /// A JWK, or PEM.
    public_key: Option<Value>,
    expires_at: Option<DateTime<Utc>>,
}

impl NewCredential {
    /// The secret to show, if one is made, and what is kept.
    fn proof(&self) -> Result<(Option<String>, Proof), Error> {
        match &self.public_key {
            None => {
                let (secret, kept) = Proof::new_secret();
                Ok((Some(secret), kept))
            }
            Some(key) => Ok((None, Proof::from_public_key(key)?)),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listing {
    after: Option<String>,
    limit: Option<u32>,
}

async fn list(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    query: Result<Query<Listing>, QueryRejection>,
) -> Result<Response, Problem> {
    auth.caller(&headers, &[Scope::AuthAdmin]).await?;
    let Query(asked) = query?;
    let limit = page::limit(asked.limit, ROWS_DEFAULT)?;
    let after = asked.after.unwrap_or_default();
    let rows = store::clients::service_accounts(&auth.pool, &after, i64::from(limit) + 1).await?;
    let page = Page::cut(rows, limit, PATH, |last| Listing {
        after: Some(last.client_id.clone()),
        limit: Some(limit),
    });
    let (link, next) = (page.link(), page.next.clone());
    let accounts = with_credentials(&auth, page.rows).await?;
    let body = Json(json!({"service_accounts": accounts, "next": next}));
    let mut response = body.into_response();
    response.headers_mut().extend(link);
    Ok(response)
}

async fn show(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<Account>, Problem> {
    auth.caller(&headers, &[Scope::AuthAdmin]).await?;
    let Path(id) = path?;
    Ok(Json(account(&auth, client_id(&id)?.as_str()).await?))
}

async fn create(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    body: Result<Json<NewAccount>, JsonRejection>,
) -> Result<Response, Problem> {
    let caller = auth.caller(&headers, &[Scope::AuthAdmin]).await?;
    let Json(new) = body?;
    let (secret, proof) = new.credential.proof()?;
    let asked = Asked {
        client_id: new.client_id,
        name: new.name,
        scopes: new.scopes,
        audience: new.audience,
        payment_max: new.payment_max,
        accounts: new.accounts,
    };
    let (terms, actor) = (asked.check()?, caller.claims().client_id.as_str());
    let (expires_at, now) = (new.credential.expires_at, service::now());
    administration::create(&auth.pool, actor, &terms, &proof, expires_at, now).await?;
    let account = account(&auth, terms.client_id.as_str()).await?;
    let location = format!("{PATH}{}/", account.client_id);
    let mut body = serde_json::to_value(account).expect("an account is JSON");
    if let Some(secret) = secret {
        body["client_secret"] = secret.into();
    }
    let headers = [
        (header::LOCATION, location),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((StatusCode::CREATED, headers, Json(body)).into_response())
}

async fn activate(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<Account>, Problem> {
    let caller = auth.caller(&headers, &[Scope::AuthAdmin]).await?;
    let (id, actor) = (client_id(&path?.0)?, caller.claims().client_id.as_str());
    administration::activate(&auth.pool, actor, &id, service::now()).await?;
    Ok(Json(account(&auth, id.as_str()).await?))
}

async fn deactivate(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<Account>, Problem> {
    let caller = auth.caller(&headers, &[Scope::AuthAdmin]).await?;
    let (id, actor) = (client_id(&path?.0)?, caller.claims().client_id.as_str());
    let revocation = administration::deactivate(&auth.pool, actor, &id, service::now()).await?;
    auth.until_revoked(revocation.as_slice()).await?;
    Ok(Json(account(&auth, id.as_str()).await?))
}

async fn remove(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    path: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let caller = auth.caller(&headers, &[Scope::AuthAdmin]).await?;
    let (id, actor) = (client_id(&path?.0)?, caller.claims().client_id.as_str());
    let revocation = administration::delete(&auth.pool, actor, &id, service::now()).await?;
    auth.until_revoked(&[revocation]).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn add_credential(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    path: Result<Path<String>, PathRejection>,
    body: Result<Json<NewCredential>, JsonRejection>,
) -> Result<Response, Problem> {
    let caller = auth.caller(&headers, &[Scope::AuthAdmin]).await?;
    let id = client_id(&path?.0)?;
    let Json(new) = body?;
    let (secret, proof) = new.proof()?;
    let (actor, now) = (caller.claims().client_id.as_str(), service::now());
    let expires_at = new.expires_at;
    let credential =
        credentials::add_to(&auth.pool, actor, id.as_str(), &proof, expires_at, now).await?;
    let mut body = json!({"id": credential, "client_id": id, "expires_at": expires_at});
    match (secret, proof) {
        (Some(secret), _) => body["client_secret"] = secret.into(),
        (None, Proof::Key { kid, .. }) => body["kid"] = kid.into(),
        (None, Proof::Secret(_)) => {}
    }
    let headers = [(header::CACHE_CONTROL, "no-store")];
    Ok((StatusCode::CREATED, headers, Json(body)).into_response())
}

async fn remove_credential(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    path: Result<Path<(String, Uuid)>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let caller = auth.caller(&headers, &[Scope::AuthAdmin]).await?;
    let Path((id, credential)) = path?;
    let (id, actor) = (client_id(&id)?, caller.claims().client_id.as_str());
    let now = service::now();
    let revocation = credentials::delete(&auth.pool, actor, id.as_str(), credential, now).await?;
    auth.until_revoked(&[revocation]).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What is no client id is the id of no account.
fn client_id(text: &str) -> Result<ClientId, Problem> {
    text.parse().map_err(|_| Error::NoAccount.into())
}

async fn account(auth: &Auth, client_id: &str) -> Result<Account, Problem> {
    let found = store::clients::service_account(&auth.pool, client_id).await?;
    let accounts = with_credentials(auth, found.into_iter().collect()).await?;
    accounts
        .into_iter()
        .next()
        .ok_or_else(|| Error::NoAccount.into())
}

async fn with_credentials(
    auth: &Auth,
    rows: Vec<store::clients::ServiceAccount>,
) -> sqlx::Result<Vec<Account>> {
    let ids: Vec<_> = rows.iter().map(|row| row.client_id.clone()).collect();
    let mut credentials: BTreeMap<String, Vec<Credential>> = BTreeMap::new();
    for row in store::clients::credentials::of_clients(&auth.pool, &ids).await? {
        let credential = Credential {
            id: row.id,
            kind: row.kind,
            kid: row.kid,
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
        };
        credentials
            .entry(row.client_id)
            .or_default()
            .push(credential);
    }
    let accounts = rows.into_iter().map(|row| Account {
        credentials: credentials.remove(&row.client_id).unwrap_or_default(),
        client_id: row.client_id,
        name: row.name,
        scopes: row.scopes.split(' ').map(str::to_owned).collect(),
        audience: row.audience,
        payment_max: row.payment_max.map(|maxima| maxima.0),
        accounts: row.accounts,
        is_active: row.is_active,
        created_at: row.created_at,
    });
    Ok(accounts.collect())
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let status = match error {
            Error::NoAccount | Error::NoCredential => StatusCode::NOT_FOUND,
            Error::Taken | Error::TwoCredentials => StatusCode::CONFLICT,
            Error::Invalid(_) => StatusCode::BAD_REQUEST,
            Error::Database(error) => return error.into(),
        };
        Self::new(status, error.to_string())
    }
}
