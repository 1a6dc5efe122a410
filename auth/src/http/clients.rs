//! `/api/service-accounts/…`: service accounts as administrators see and change them. A secret is shown once, when it is made.

mod bodies;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use common::http::describe::answers::{Located, Problems, Reply};
use common::http::describe::{Body, Of};
use common::http::page::{self, Page};
use common::http::problem::Problem;
use common::ids::ClientId;
use common::service;
use common::token::Scope;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use bodies::{
    Account, Credential, MadeAccount, MadeCredential, NewAccount, NewCredential, ServiceAccounts,
};

use crate::app::Auth;
use crate::clients::credentials::Proof;
use crate::clients::terms::Asked;
use crate::clients::{Error, administration, credentials};
use crate::store;

/// Accounts in a list, unless asked for otherwise.
const ROWS_DEFAULT: u32 = 100;
const PATH: &str = "/api/service-accounts/";

pub(super) fn routes() -> OpenApiRouter<Arc<Auth>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, remove))
        .routes(routes!(activate))
        .routes(routes!(deactivate))
        .routes(routes!(add_credential))
        .routes(routes!(remove_credential))
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Listing {
    /// The last account of the page before.
    after: Option<String>,
    /// How many at most.
    #[schemars(range(min = 1, max = 100), example = 10)]
    limit: Option<u32>,
}

/// List service accounts
///
/// By name.
#[utoipa::path(
    get,
    path = "/api/service-accounts",
    tag = "Service accounts",
    params(Of<Listing>),
    responses(Reply<200, ServiceAccounts>),
    security(("bearer" = ["auth:admin"])),
)]
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
    let service_accounts = with_credentials(&auth, page.rows).await?;
    let body = ServiceAccounts {
        service_accounts,
        next,
    };
    let mut response = Json(body).into_response();
    response.headers_mut().extend(link);
    Ok(response)
}

/// Show a service account
///
/// With its credentials, never with what they prove.
#[utoipa::path(
    get,
    path = "/api/service-accounts/{id}",
    tag = "Service accounts",
    params(("id" = String, Path, description = "The service account.", example = "demo-shop")),
    responses(Reply<200, Account>, Problems<404>),
    security(("bearer" = ["auth:admin"])),
)]
async fn show(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<Account>, Problem> {
    auth.caller(&headers, &[Scope::AuthAdmin]).await?;
    let Path(id) = path?;
    Ok(Json(account(&auth, client_id(&id)?.as_str()).await?))
}

/// Create a service account
///
/// With a secret that is shown this once, or with the public key that the program brings.
#[utoipa::path(
    post,
    path = "/api/service-accounts",
    tag = "Service accounts",
    params(Body<NewAccount>),
    responses(Located<201, MadeAccount>, Problems<409>),
    security(("bearer" = ["auth:admin"])),
)]
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
    let body = MadeAccount {
        account,
        client_secret: secret,
    };
    let headers = [
        (header::LOCATION, location),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((StatusCode::CREATED, headers, Json(body)).into_response())
}

/// Activate a service account
///
/// It gets tokens again.
#[utoipa::path(
    post,
    path = "/api/service-accounts/{id}/activate",
    tag = "Service accounts",
    params(("id" = String, Path, description = "The service account.", example = "demo-shop")),
    responses(Reply<200, Account>, Problems<404>),
    security(("bearer" = ["auth:admin"])),
)]
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

/// Deactivate a service account
///
/// It gets no tokens, and those that it has count no more.
#[utoipa::path(
    post,
    path = "/api/service-accounts/{id}/deactivate",
    tag = "Service accounts",
    params(("id" = String, Path, description = "The service account.", example = "demo-shop")),
    responses(Reply<200, Account>, Problems<404>),
    security(("bearer" = ["auth:admin"])),
)]
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

/// Delete a service account
///
/// Its tokens count no more. Its name is never given again.
#[utoipa::path(
    delete,
    path = "/api/service-accounts/{id}",
    tag = "Service accounts",
    params(("id" = String, Path, description = "The service account.", example = "demo-shop")),
    responses(Reply<204, ()>, Problems<404>),
    security(("bearer" = ["auth:admin"])),
)]
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

/// Add a credential
///
/// A second secret or key, so that the first can be replaced without a pause.
#[utoipa::path(
    post,
    path = "/api/service-accounts/{id}/credentials",
    tag = "Service accounts",
    params(("id" = String, Path, description = "The service account.", example = "demo-shop"), Body<NewCredential>),
    responses(Reply<201, MadeCredential>, Problems<404>, Problems<409>),
    security(("bearer" = ["auth:admin"])),
)]
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
    let body = MadeCredential {
        id: credential,
        client_id: id,
        expires_at,
        client_secret: secret,
        kid: match proof {
            Proof::Key { kid, .. } => Some(kid),
            Proof::Secret(_) => None,
        },
    };
    let headers = [(header::CACHE_CONTROL, "no-store")];
    Ok((StatusCode::CREATED, headers, Json(body)).into_response())
}

/// Delete a credential
///
/// Tokens that were issued for it count no more; others go on.
#[utoipa::path(
    delete,
    path = "/api/service-accounts/{id}/credentials/{credential}",
    tag = "Service accounts",
    params(("id" = String, Path, description = "The service account.", example = "demo-shop"), ("credential" = Uuid, Path, description = "The credential.", example = "01900000-0000-7000-8000-00000000ada0")),
    responses(Reply<204, ()>, Problems<404>),
    security(("bearer" = ["auth:admin"])),
)]
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
