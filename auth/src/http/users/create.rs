//! Somebody new, with a password that an administrator chose.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use common::http::describe::Body;
use common::http::describe::answers::{Problems, Reply};
use common::http::problem::Problem;
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use super::{ADMINS, Person, check, found, hashed, unprocessable};
use crate::app::Auth;
use crate::passwords::rules::Context;
use crate::people::{Role, normalized};
use crate::store;
use crate::store::events::{Event, names};
use crate::store::people::NewUser;

/// Somebody new.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"email": "alan@demo.quittance", "password": "correct horse battery staple", "role": "customer"}))]
pub(super) struct NewPerson {
    email: String,
    password: String,
    #[serde(default)]
    role: Role,
}

/// Create a person
///
/// With a password that an administrator chose. An invitation is better: then only the person knows it.
#[utoipa::path(
    post,
    path = "/api/users",
    tag = "People",
    params(Body<NewPerson>),
    responses(Reply<201, Person>, Problems<409>, Problems<422>, Problems<429>),
    security(("bearer" = ["auth:admin"])),
)]
pub(super) async fn create(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    body: Result<Json<NewPerson>, JsonRejection>,
) -> Result<Response, Problem> {
    let caller = auth.caller(&headers, ADMINS).await?;
    let Json(new) = body?;
    let email = normalized(&new.email).map_err(|error| unprocessable(error.to_string()))?;
    let (username, _) = email.split_once('@').expect("normalized above");
    check(
        &new.password,
        &Context {
            email: &email,
            username,
            has_second_factor: false,
        },
    )?;
    let id = Uuid::now_v7();
    let hash = hashed(&auth, &headers, new.password).await?;
    let user = NewUser {
        id,
        email: &email,
        username,
        password_hash: &hash,
        is_staff: new.role != Role::Customer,
        role: new.role.as_str(),
        scopes: new.role.scopes(),
    };
    let now = common::service::now();
    let mut tx = auth.pool.begin().await?;
    if !store::people::insert_user(&mut *tx, &user, now).await? {
        let taken = "somebody has this e-mail address already";
        return Err(Problem::new(StatusCode::CONFLICT, taken));
    }
    let event = Event {
        what: names::USER_CREATED,
        actor: Some(caller.claims().client_id.as_str()),
        about: Some(&id.to_string()),
        detail: serde_json::json!({"role": new.role.as_str()}),
    };
    store::events::record(&mut *tx, &event, now).await?;
    tx.commit().await?;
    let person = found(&auth, id).await?;
    Ok((StatusCode::CREATED, Json(person)).into_response())
}
