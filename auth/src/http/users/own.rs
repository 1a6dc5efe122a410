//! What a person changes about oneself, with the current password: a stolen token alone changes nothing.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderMap, StatusCode};
use chrono::{DateTime, Utc};
use common::http::describe::Body;
use common::http::describe::answers::{Problems, Reply};
use common::http::problem::Problem;
use common::service;
use common::token::Claims;
use schemars::JsonSchema;
use serde::Deserialize;
use sqlx::PgConnection;

use super::{check_password, hashed_in, nobody, too_many};
use crate::app::Auth;
use crate::http::{EVERYBODY, address};
use crate::lockout::{Because, lock_out};
use crate::store;
use crate::store::people::User;
use crate::throttle::{Account, Admitted, Refused};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"current_password": "…", "password": "correct horse battery staple"}))]
pub(super) struct ChangedPassword {
    current_password: String,
    password: String,
}

/// Change one's password
///
/// With the current one. Every session ends, this one too.
#[utoipa::path(
    post,
    path = "/api/users/me/password",
    tag = "People",
    params(Body<ChangedPassword>),
    responses(Reply<204, ()>, Problems<404>, Problems<422>, Problems<429>),
    security(("bearer" = [])),
)]
pub(super) async fn change_password(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    body: Result<Json<ChangedPassword>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let caller = auth.caller(&headers, EVERYBODY).await?;
    let Json(changed) = body?;
    let user = oneself(&auth, caller.claims()).await?;
    let attempt = prove(&auth, &headers, &user, changed.current_password).await?;
    let line = attempt.line();
    right(attempt).await?;
    check_password(&auth, &changed.password, &user).await?;
    let hash = hashed_in(&auth, line, changed.password).await?;
    let because = Because::PasswordChanged(&hash);
    let actor = caller.claims().client_id.as_str();
    lock_out(&auth, user.id, because, actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The person that a token is of.
pub(super) async fn oneself(auth: &Auth, claims: &Claims) -> Result<User, Problem> {
    let id = claims.sub.parse().map_err(|_| nobody())?;
    let user = store::people::user_by_id(&auth.pool, id).await?;
    user.ok_or_else(nobody)
}

/// Checks the current password. The try counts as wrong until [`right`]: a stolen token must not be a way to guess the
/// password.
pub(super) async fn prove<'a>(
    auth: &'a Auth,
    headers: &HeaderMap,
    user: &User,
    password: String,
) -> Result<Admitted<'a>, Problem> {
    let (account, from) = (Account::person(&user.email), address::of(headers));
    let attempt = auth.throttle.admit(account, from, service::now).await;
    let attempt = attempt.map_err(throttled)?;
    let (line, hash) = (attempt.line(), Some(user.password_hash.clone()));
    // Who has a token is known, so there is nothing to hide in the time.
    let Ok(verified) = auth.passwords.verify(line, password, hash, 0).await else {
        attempt.take_back(service::now()).await?;
        return Err(too_many(1));
    };
    if !verified.is_right {
        attempt.failed(Some(user.id.to_string()), service::now());
        let text = "current_password is not the password";
        return Err(Problem::new(StatusCode::FORBIDDEN, text));
    }
    Ok(attempt)
}

/// Locks the person's row, if the password is still the one that was checked.
pub(super) async fn lock_as_proved(
    db: &mut PgConnection,
    user: &User,
) -> Result<DateTime<Utc>, Problem> {
    let locked = store::people::lock(db, user.id).await?;
    let locked = locked.filter(|(now, _)| now.is_active && now.password_hash == user.password_hash);
    let (_, now) = locked.ok_or_else(|| {
        let text = "the password was changed meanwhile";
        Problem::new(StatusCode::CONFLICT, text)
    })?;
    Ok(now)
}

/// The try was right.
pub(super) async fn right(attempt: Admitted<'_>) -> Result<(), Problem> {
    Ok(attempt.succeeded(service::now()).await?)
}

pub(super) fn throttled(refused: Refused) -> Problem {
    match refused {
        Refused::For { seconds } => too_many(seconds),
        Refused::Database(error) => error.into(),
    }
}
