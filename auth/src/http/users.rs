//! People: who there is, who may log in, and with which password.
//!
//! `auth:admin` sees and changes everybody; a person changes the own password.

mod import;

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use common::http::page::{self, Page};
use common::http::problem::Problem;
use common::token::Scope;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::EVERYBODY;
use crate::app::Auth;
use crate::http::address;
use crate::lockout::{Because, lock_out};
use crate::passwords::rules::{self, Context};
use crate::people::{Role, normalized};
use crate::store::events::{Event, names};
use crate::store::people::{Listed, NewUser};
use crate::throttle::{Account, Refused};
use crate::{passwords, store};

const ADMINS: &[Scope] = &[Scope::AuthAdmin];
/// People in a list, unless asked for otherwise.
const ROWS_DEFAULT: u32 = 50;
const PATH: &str = "/api/users";

pub(super) fn routes() -> Router<Arc<Auth>> {
    Router::new()
        .merge(import::routes())
        .route(PATH, get(list).post(create))
        .route("/api/users/me/password", post(change_own_password))
        .route("/api/users/{id}", get(show))
        .route("/api/users/{id}/activate", post(activate))
        .route("/api/users/{id}/deactivate", post(deactivate))
        .route("/api/users/{id}/log-out", post(log_out))
        .route("/api/users/{id}/password", post(set_password))
}

/// A person, as administrators see one.
#[derive(Debug, Serialize, JsonSchema)]
struct Person {
    id: Uuid,
    email: String,
    username: String,
    role: String,
    scopes: String,
    is_active: bool,
    created_at: DateTime<Utc>,
    last_login_at: Option<DateTime<Utc>>,
}

impl From<Listed> for Person {
    fn from(row: Listed) -> Self {
        Self {
            id: row.id,
            email: row.email,
            username: row.username,
            role: row.role,
            scopes: row.scopes,
            is_active: row.is_active,
            created_at: row.created_at,
            last_login_at: row.last_login_at,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Part of the e-mail address.
    email: Option<String>,
    limit: Option<u32>,
    /// The last address of the page before.
    cursor: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct People {
    users: Vec<Person>,
    /// Where the list goes on; `null` at its end. Also in the header `Link`.
    next: Option<String>,
}

/// `GET /api/users/`, by address.
async fn list(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    auth.caller(&headers, ADMINS).await?;
    let Query(query) = query?;
    let limit = page::limit(query.limit, ROWS_DEFAULT)?;
    let (part, after) = (query.email.as_deref(), query.cursor.as_deref());
    let rows = store::people::page(&auth.pool, part, after, i64::from(limit) + 1).await?;
    let page = Page::cut(rows, limit, PATH, |last| ListQuery {
        email: query.email.clone(),
        limit: query.limit,
        cursor: Some(last.email.clone()),
    });
    let link = page.link();
    let people = People {
        users: page.rows.into_iter().map(Person::from).collect(),
        next: page.next,
    };
    Ok((link.map(|link| [link]), Json(people)).into_response())
}

/// Somebody new.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewPerson {
    email: String,
    password: String,
    #[serde(default)]
    role: Role,
}

/// `POST /api/users/`.
async fn create(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    body: Result<Json<NewPerson>, JsonRejection>,
) -> Result<Response, Problem> {
    let caller = auth.caller(&headers, ADMINS).await?;
    let Json(new) = body?;
    let email = normalized(&new.email).map_err(|error| unprocessable(error.to_string()))?;
    let (username, _) = email.split_once('@').expect("normalized above");
    check_password(&new.password, &email, username)?;
    let id = Uuid::now_v7();
    let hash = hashed(new.password).await?;
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

/// `GET /api/users/{id}`.
async fn show(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<Json<Person>, Problem> {
    auth.caller(&headers, ADMINS).await?;
    found(&auth, named(id)?).await.map(Json)
}

/// `POST /api/users/{id}/deactivate`: out everywhere, and in no more.
async fn deactivate(
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
async fn log_out(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<Json<Person>, Problem> {
    let caller = auth.caller(&headers, ADMINS).await?;
    let actor = caller.claims().client_id.as_str();
    locked_out(&auth, named(id)?, Because::LoggedOutEverywhere, actor).await
}

/// `POST /api/users/{id}/activate`.
async fn activate(
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
struct NewPassword {
    password: String,
}

/// `POST /api/users/{id}/password`: an administrator sets a password.
async fn set_password(
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
    check_password(&new.password, &user.email, &user.username)?;
    let hash = hashed(new.password).await?;
    let actor = caller.claims().client_id.as_str();
    locked_out(&auth, id, Because::PasswordChanged(&hash), actor).await
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ChangedPassword {
    current_password: String,
    password: String,
}

/// `POST /api/users/me/password`: a new password for oneself. Every session ends, this one too.
async fn change_own_password(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    body: Result<Json<ChangedPassword>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let caller = auth.caller(&headers, EVERYBODY).await?;
    let Json(changed) = body?;
    let claims = caller.claims();
    let id = claims.sub.parse().map_err(|_| nobody())?;
    let user = store::people::user_by_id(&auth.pool, id)
        .await?
        .ok_or_else(nobody)?;
    // A stolen token must not be a way to guess the password.
    let (account, from) = (Account::person(&user.email), address::of(&headers));
    let throttled = |refused: Refused| match refused {
        Refused::For { seconds } => too_many(seconds),
        Refused::Database(error) => error.into(),
    };
    let attempt = auth
        .throttle
        .admit(account, from, common::service::now)
        .await;
    let attempt = attempt.map_err(throttled)?;
    let (line, hash) = (attempt.line(), Some(user.password_hash));
    // Who has a token is known, so there is nothing to hide in the time.
    let Ok(verified) = auth
        .passwords
        .verify(line, changed.current_password, hash, 0)
        .await
    else {
        attempt
            .take_back(common::service::now())
            .await
            .map_err(|error| throttled(error.into()))?;
        return Err(too_many(1));
    };
    if !verified.is_right {
        attempt.failed(Some(id.to_string()), common::service::now());
        let text = "current_password is not the password";
        return Err(Problem::new(StatusCode::FORBIDDEN, text));
    }
    attempt
        .succeeded(common::service::now())
        .await
        .map_err(|error| throttled(error.into()))?;
    check_password(&changed.password, &user.email, &user.username)?;
    let hash = hashed(changed.password).await?;
    let because = Because::PasswordChanged(&hash);
    lock_out(&auth, id, because, claims.client_id.as_str()).await?;
    Ok(StatusCode::NO_CONTENT)
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

async fn found(auth: &Auth, id: Uuid) -> Result<Person, Problem> {
    let row = store::people::listed(&auth.pool, id).await?;
    row.map(Person::from).ok_or_else(nobody)
}

fn named(id: Result<Path<Uuid>, PathRejection>) -> Result<Uuid, Problem> {
    id.map(|Path(id)| id).map_err(|_| nobody())
}

fn nobody() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is no such person")
}

fn unprocessable(text: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, text)
}

fn too_many(seconds: u64) -> Problem {
    let text = format!("too many tries; the next is possible in {seconds} s");
    Problem::new(StatusCode::TOO_MANY_REQUESTS, text)
        .with_header(axum::http::header::RETRY_AFTER, seconds.into())
}

fn check_password(password: &str, email: &str, username: &str) -> Result<(), Problem> {
    let context = Context {
        email,
        username,
        has_second_factor: false,
    };
    rules::check(password, &context).map_err(|rule| unprocessable(rule.to_string()))
}

async fn hashed(password: String) -> Result<String, Problem> {
    let hash = passwords::hash(password).await;
    hash.map_err(|error| Problem::unavailable("hashing", &error))
}
