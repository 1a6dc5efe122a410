//! What an administrator changes about a person.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use common::http::problem::Problem;
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use super::{ADMINS, Person, check_password, found, hashed, named, nobody};
use crate::app::Auth;
use crate::lockout::{Because, lock_out};
use crate::store;
use crate::store::events::{Event, names};

/// `POST /api/users/{id}/deactivate`: out everywhere, and in no more.
pub(super) async fn deactivate(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<Json<Person>, Problem> {
    let caller = auth.caller(&headers, ADMINS).await?;
    let (id, claims) = (named(id)?, caller.claims());
    if claims.sub == id.to_string() {
        let text = "nobody deactivates oneself: the last administrator would lock everybody out";
        return Err(Problem::new(StatusCode::CONFLICT, text));
    }
    locked_out(&auth, id, Because::Deactivated, claims.client_id.as_str()).await
}

/// `POST /api/users/{id}/log-out`: out everywhere, with every token.
pub(super) async fn log_out(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<Json<Person>, Problem> {
    let caller = auth.caller(&headers, ADMINS).await?;
    let actor = caller.claims().client_id.as_str();
    locked_out(&auth, named(id)?, Because::LoggedOutEverywhere, actor).await
}

/// `POST /api/users/{id}/activate`.
pub(super) async fn activate(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<Json<Person>, Problem> {
    let caller = auth.caller(&headers, ADMINS).await?;
    let id = named(id)?;
    let mut tx = auth.pool.begin().await?;
    let (user, now) = store::people::lock(&mut tx, id).await?.ok_or_else(nobody)?;
    if !user.is_active {
        store::people::set_active(&mut *tx, id, true, now).await?;
        let event = Event {
            what: names::USER_ACTIVATED,
            actor: Some(caller.claims().client_id.as_str()),
            about: Some(&id.to_string()),
            detail: serde_json::json!({}),
        };
        store::events::record(&mut *tx, &event, now).await?;
    }
    tx.commit().await?;
    found(&auth, id).await.map(Json)
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    password: String,
}

/// `POST /api/users/{id}/password`: an administrator sets a password.
pub(super) async fn set_password(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    id: Result<Path<Uuid>, PathRejection>,
    body: Result<Json<NewPassword>, JsonRejection>,
) -> Result<Json<Person>, Problem> {
    let caller = auth.caller(&headers, ADMINS).await?;
    let (id, Json(new)) = (named(id)?, body?);
    let user = store::people::user_by_id(&auth.pool, id)
        .await?
        .ok_or_else(nobody)?;
    check_password(&auth, &new.password, &user).await?;
    let hash = hashed(&auth, &headers, new.password).await?;
    let actor = caller.claims().client_id.as_str();
    locked_out(&auth, id, Because::PasswordChanged(&hash), actor).await
}

async fn locked_out(
    auth: &Auth,
    id: Uuid,
    because: Because<'_>,
    actor: &str,
) -> Result<Json<Person>, Problem> {
    if !lock_out(auth, id, because, actor).await? {
        return Err(nobody());
    }
    found(auth, id).await.map(Json)
}
