//! People: who there is, who may log in, and with which password.
//!
//! `auth:admin` sees and changes everybody; a person changes the own password and second factor.

mod list;

mod change;
mod create;
mod import;
mod invitations;

mod own;
mod second_factor;

use std::sync::Arc;

use axum::Json;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use common::http::problem::Problem;
use common::token::Scope;
use schemars::JsonSchema;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::Auth;
use crate::http::address;
use crate::passwords::NotHashed;
use crate::passwords::rules::{self, Context};
use crate::store;
use crate::store::people::{Listed, User};
use crate::throttle::{Line, line_of};

const ADMINS: &[Scope] = &[Scope::AuthAdmin];
const PATH: &str = "/api/users";

pub(super) fn routes() -> OpenApiRouter<Arc<Auth>> {
    OpenApiRouter::new()
        .merge(import::routes())
        .routes(routes!(list::list, create::create))
        .routes(routes!(invitations::invite))
        .routes(routes!(invitations::accept))
        .routes(routes!(invitations::register))
        .routes(routes!(own::change_password))
        .routes(routes!(
            second_factor::show,
            second_factor::start,
            second_factor::remove
        ))
        .routes(routes!(second_factor::confirm))
        .routes(routes!(second_factor::renew_recovery_codes))
        .routes(routes!(list::show))
        .routes(routes!(change::activate))
        .routes(routes!(change::deactivate))
        .routes(routes!(change::log_out))
        .routes(routes!(change::set_password))
        .routes(routes!(invitations::reset))
        .routes(routes!(change::change_role))
        .routes(routes!(change::unlock))
        .routes(routes!(second_factor::reset))
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
    /// Log-in asks for a code too.
    has_second_factor: bool,
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
            has_second_factor: row.has_second_factor,
            created_at: row.created_at,
            last_login_at: row.last_login_at,
        }
    }
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

/// An answer that no cache may keep.
fn shown_once(body: &impl Serialize) -> Response {
    let no_store = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    ([no_store], Json(body)).into_response()
}

fn check(password: &str, context: &Context<'_>) -> Result<(), Problem> {
    rules::check(password, context).map_err(|rule| unprocessable(rule.to_string()))
}

/// Whether this may be the person's new password.
async fn check_password(auth: &Auth, password: &str, user: &User) -> Result<(), Problem> {
    let context = Context {
        email: &user.email,
        username: &user.username,
        has_second_factor: store::second_factors::is_on(&auth.pool, user.id).await?,
    };
    check(password, &context)
}

/// The hash to keep. It waits where log-ins from there wait.
async fn hashed(auth: &Auth, headers: &HeaderMap, password: String) -> Result<String, Problem> {
    hashed_in(auth, line_of(address::of(headers)), password).await
}

async fn hashed_in(auth: &Auth, line: Line, password: String) -> Result<String, Problem> {
    let hash = auth.passwords.hash(line, password).await;
    hash.map_err(|error| match error {
        NotHashed::Busy => too_many(1),
        NotHashed::Failed(error) => Problem::unavailable("hashing", &error),
    })
}
