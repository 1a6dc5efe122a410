//! What an administrator changes about a person.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use common::http::describe::Body;
use common::http::describe::answers::{Problems, Reply};
use common::http::problem::Problem;
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use super::{ADMINS, Person, check_password, found, hashed, named, nobody, unprocessable};
use crate::app::Auth;
use crate::lockout::{self, Because, Outcome};
use crate::people::Role;
use crate::store;
use crate::store::events::{Event, names};
use crate::throttle::Account;

/// Deactivate a person
///
/// Out everywhere, and in no more. Nobody deactivates oneself or the last administrator.
#[utoipa::path(
    post,
    path = "/api/users/{id}/deactivate",
    tag = "People",
    params(("id" = Uuid, Path, description = "The person.", example = "01900000-0000-7000-8000-00000000ada0")),
    responses(Reply<200, Person>, Problems<404>, Problems<409>),
    security(("bearer" = ["auth:admin"])),
)]
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

/// Log a person out
///
/// Out everywhere, with every token.
#[utoipa::path(
    post,
    path = "/api/users/{id}/log-out",
    tag = "People",
    params(("id" = Uuid, Path, description = "The person.", example = "01900000-0000-7000-8000-00000000ada0")),
    responses(Reply<200, Person>, Problems<404>),
    security(("bearer" = ["auth:admin"])),
)]
pub(super) async fn log_out(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<Json<Person>, Problem> {
    let caller = auth.caller(&headers, ADMINS).await?;
    let actor = caller.claims().client_id.as_str();
    locked_out(&auth, named(id)?, Because::LoggedOutEverywhere, actor).await
}

/// Activate a person
///
/// May log in again.
#[utoipa::path(
    post,
    path = "/api/users/{id}/activate",
    tag = "People",
    params(("id" = Uuid, Path, description = "The person.", example = "01900000-0000-7000-8000-00000000ada0")),
    responses(Reply<200, Person>, Problems<404>),
    security(("bearer" = ["auth:admin"])),
)]
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
#[schemars(example = serde_json::json!({"password": "correct horse battery staple"}))]
pub(super) struct NewPassword {
    password: String,
}

/// Set a password
///
/// An administrator sets it; the person is logged out everywhere.
#[utoipa::path(
    post,
    path = "/api/users/{id}/password",
    tag = "People",
    params(("id" = Uuid, Path, description = "The person.", example = "01900000-0000-7000-8000-00000000ada0"), Body<NewPassword>),
    responses(Reply<200, Person>, Problems<404>, Problems<422>, Problems<429>),
    security(("bearer" = ["auth:admin"])),
)]
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

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"role": "staff"}))]
pub(super) struct ChangedRole {
    role: Role,
}

/// Change a role
///
/// Whoever may do less by it logs in again.
#[utoipa::path(
    post,
    path = "/api/users/{id}/role",
    tag = "People",
    params(("id" = Uuid, Path, description = "The person.", example = "01900000-0000-7000-8000-00000000ada0"), Body<ChangedRole>),
    responses(Reply<200, Person>, Problems<404>, Problems<409>),
    security(("bearer" = ["auth:admin"])),
)]
pub(super) async fn change_role(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    id: Result<Path<Uuid>, PathRejection>,
    body: Result<Json<ChangedRole>, JsonRejection>,
) -> Result<Json<Person>, Problem> {
    let caller = auth.caller(&headers, ADMINS).await?;
    let (id, Json(changed)) = (named(id)?, body?);
    let actor = caller.claims().client_id.as_str();
    done(lockout::change_role(&auth, id, changed.role, actor).await?)?;
    found(&auth, id).await.map(Json)
}

/// Unlock a person
///
/// Wrong tries at the password are forgotten, and the lock that they led to.
#[utoipa::path(
    post,
    path = "/api/users/{id}/unlock",
    tag = "People",
    params(("id" = Uuid, Path, description = "The person.", example = "01900000-0000-7000-8000-00000000ada0")),
    responses(Reply<200, Person>, Problems<404>),
    security(("bearer" = ["auth:admin"])),
)]
pub(super) async fn unlock(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<Json<Person>, Problem> {
    let caller = auth.caller(&headers, ADMINS).await?;
    let id = named(id)?;
    let user = store::people::user_by_id(&auth.pool, id)
        .await?
        .ok_or_else(nobody)?;
    auth.throttle.forgive(Account::person(&user.email)).await?;
    let event = Event {
        what: names::USER_UNLOCKED,
        actor: Some(caller.claims().client_id.as_str()),
        about: Some(&id.to_string()),
        detail: serde_json::json!({}),
    };
    store::events::record(&auth.pool, &event, common::service::now()).await?;
    found(&auth, id).await.map(Json)
}

/// Locks a person out; the person as they are then.
pub(super) async fn locked_out(
    auth: &Auth,
    id: Uuid,
    because: Because<'_>,
    actor: &str,
) -> Result<Json<Person>, Problem> {
    done(lockout::lock_out(auth, id, because, actor).await?)?;
    found(auth, id).await.map(Json)
}

fn done(outcome: Outcome) -> Result<(), Problem> {
    match outcome {
        Outcome::Done => Ok(()),
        Outcome::Nobody => Err(nobody()),
        Outcome::UsedUp => Err(unprocessable("the code for it is used up")),
        Outcome::LastAdmin => {
            let text = "this is the last administrator: nobody could let anybody in again";
            Err(Problem::new(StatusCode::CONFLICT, text))
        }
    }
}
