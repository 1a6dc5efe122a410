//! Codes that are used once instead of a password that somebody else knows: an invitation makes a person, a reset sets a new
//! password. Neither logs anybody in.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, TimeDelta, Utc};
use common::http::describe::Body;
use common::http::describe::answers::{Problems, Reply};
use common::http::problem::Problem;
use common::ids::ClientId;
use common::service;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::own::throttled;
use super::{ADMINS, check, check_password, hashed_in, named, nobody, shown_once, unprocessable};
use crate::app::Auth;
use crate::http::address;
use crate::invitations::{self, CODE_BYTES};
use crate::lockout::{Because, Outcome, lock_out};
use crate::passwords::rules::Context;
use crate::people::{Role, normalized};

use crate::store::events::{Event, names};
use crate::store::one_time_codes;
use crate::store::people::NewUser;
use crate::throttle::{Account, Admitted};
use crate::{codes, store};

/// Whoever asked for a reset waits for it.
const RESET_LIFE: TimeDelta = TimeDelta::hours(1);

/// Who is invited.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({"email": "alan@demo.quittance", "role": "customer"}))]
pub(super) struct Invite {
    email: String,
    #[serde(default)]
    role: Role,
}

/// A code that nobody can show again.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OneTimeCode")]
struct Code {
    email: String,
    code: String,
    expires_at: DateTime<Utc>,
}

/// Invite a person
///
/// A code with which they choose a password. It ends an earlier one to the same address.
#[utoipa::path(
    post,
    path = "/api/users/invitations",
    tag = "People",
    params(Body<Invite>),
    responses(Reply<201, Code>, Problems<409>, Problems<422>),
    security(("bearer" = ["auth:admin"])),
)]
pub(super) async fn invite(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    body: Result<Json<Invite>, JsonRejection>,
) -> Result<Response, Problem> {
    let caller = auth.caller(&headers, ADMINS).await?;
    let Json(invite) = body?;
    let email = normalized(&invite.email).map_err(|error| unprocessable(error.to_string()))?;
    if store::people::user_by_email(&auth.pool, &email)
        .await?
        .is_some()
    {
        return Err(taken());
    }
    let actor = Some(caller.claims().client_id.as_str());
    let mut tx = auth.pool.begin().await?;
    let invited = invitations::invite(&mut tx, &email, invite.role, actor, service::now()).await;
    let invited = invited.map_err(|error| Problem::unavailable("the database", &error))?;
    tx.commit().await?;
    let answer = Code {
        email,
        code: invited.code,
        expires_at: invited.expires_at,
    };
    Ok((StatusCode::CREATED, shown_once(&answer)).into_response())
}

/// Start a reset
///
/// A code with which the person sets a new password. Until then the old one is good.
#[utoipa::path(
    post,
    path = "/api/users/{id}/reset",
    tag = "People",
    params(("id" = Uuid, Path, description = "The person.", example = "01900000-0000-7000-8000-00000000ada0")),
    responses(Reply<201, Code>, Problems<404>),
    security(("bearer" = ["auth:admin"])),
)]
pub(super) async fn reset(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<Response, Problem> {
    let caller = auth.caller(&headers, ADMINS).await?;
    let id = named(id)?;
    let code = new_code()?;
    let mut tx = auth.pool.begin().await?;
    let (user, now) = store::people::lock(&mut tx, id).await?.ok_or_else(nobody)?;
    let expires_at = now + RESET_LIFE;
    one_time_codes::end_resets(&mut *tx, id, now).await?;
    one_time_codes::insert_reset(&mut *tx, &codes::sha256(&code), id, now, expires_at).await?;
    let event = Event {
        what: names::USER_RESET_STARTED,
        actor: Some(caller.claims().client_id.as_str()),
        about: Some(&id.to_string()),
        detail: json!({}),
    };
    store::events::record(&mut *tx, &event, now).await?;
    tx.commit().await?;
    let answer = Code {
        email: user.email,
        code,
        expires_at,
    };
    Ok((StatusCode::CREATED, shown_once(&answer)).into_response())
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({"code": "…", "password": "correct horse battery staple"}))]
pub(super) struct Accept {
    code: String,
    password: String,
}

/// Who can log in now.
#[derive(Debug, Serialize, JsonSchema)]
struct Accepted {
    id: Uuid,
    email: String,
}

/// Use a code
///
/// An invitation or a reset: the code and a password. Wrong codes count against the address that they come from.
#[utoipa::path(
    post,
    path = "/api/users/accept",
    tag = "People",
    params(Body<Accept>),
    responses(Reply<200, Accepted>, Problems<403>, Problems<409>, Problems<422>, Problems<429>, Problems<503>),
)]
pub(super) async fn accept(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    body: Result<Json<Accept>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(accept) = body?;
    let from = address::of(&headers);
    let attempt = auth
        .throttle
        .admit(Account::codes(from), from, service::now);
    let attempt = attempt.await.map_err(throttled)?;
    let sha256 = codes::sha256(&accept.code);
    let code = one_time_codes::good(&auth.pool, &sha256, service::now()).await?;
    let accepted = match code {
        Some(code) => match (code.user_id, code.email, code.role) {
            (Some(user), _, _) => {
                set_password(&auth, &attempt, user, &sha256, accept.password).await?
            }
            (None, Some(email), Some(role)) => {
                let role = Role::named(&role).ok_or_else(no_such_code)?;
                let new = New {
                    email,
                    role,
                    password: accept.password,
                };
                make(&auth, &attempt, new, Some(&sha256)).await?
            }
            (None, _, _) => None,
        },
        None => None,
    };
    let Some(accepted) = accepted else {
        attempt.failed(None, service::now());
        return Err(no_such_code());
    };
    attempt.succeeded(service::now()).await?;
    Ok(Json(accepted).into_response())
}

/// `None` when the code was used meanwhile.
async fn set_password(
    auth: &Auth,
    attempt: &Admitted<'_>,
    id: Uuid,
    sha256: &[u8],
    password: String,
) -> Result<Option<Accepted>, Problem> {
    let user = store::people::user_by_id(&auth.pool, id).await?;
    let user = user.ok_or_else(no_such_code)?;
    check_password(auth, &password, &user).await?;
    let hash = hashed_in(auth, attempt.line(), password).await?;
    let because = Because::PasswordReset {
        hash: &hash,
        code_sha256: sha256,
    };
    let actor = ClientId::of_user(id);
    let outcome = lock_out(auth, id, because, actor.as_str()).await?;
    let accepted = Accepted {
        id,
        email: user.email,
    };
    Ok((outcome == Outcome::Done).then_some(accepted))
}

/// Somebody new.
struct New {
    email: String,
    role: Role,
    password: String,
}

/// `None` when the code was used meanwhile.
async fn make(
    auth: &Auth,
    attempt: &Admitted<'_>,
    new: New,
    code_sha256: Option<&[u8]>,
) -> Result<Option<Accepted>, Problem> {
    let New {
        email,
        role,
        password,
    } = new;
    let (username, _) = email.split_once('@').unwrap_or((&email, ""));
    let context = Context {
        email: &email,
        username,
        has_second_factor: false,
    };
    check(&password, &context)?;
    let (id, hash) = (
        Uuid::now_v7(),
        hashed_in(auth, attempt.line(), password).await?,
    );
    let user = NewUser {
        id,
        email: &email,
        username,
        password_hash: &hash,
        is_staff: role != Role::Customer,
        role: role.as_str(),
        scopes: role.scopes(),
    };
    let now = service::now();
    let mut tx = auth.pool.begin().await?;
    if let Some(sha256) = code_sha256
        && !one_time_codes::use_up(&mut *tx, sha256, now).await?
    {
        return Ok(None);
    }
    if !store::people::insert_user(&mut *tx, &user, now).await? {
        return Err(taken());
    }
    let actor = ClientId::of_user(id);
    let event = Event {
        what: names::USER_CREATED,
        actor: Some(actor.as_str()),
        about: Some(&id.to_string()),
        detail: json!({"role": role.as_str()}),
    };
    store::events::record(&mut *tx, &event, now).await?;
    tx.commit().await?;
    Ok(Some(Accepted { id, email }))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({"email": "alan@demo.quittance", "password": "correct horse battery staple"}))]
pub(super) struct Register {
    email: String,
    password: String,
}

/// Register
///
/// A customer makes themselves, where the bank lets them. Each counts against the address that it comes from, good or
/// not.
#[utoipa::path(
    post,
    path = "/api/users/register",
    tag = "People",
    params(Body<Register>),
    responses(Reply<201, Accepted>, Problems<403>, Problems<409>, Problems<422>, Problems<429>, Problems<503>),
)]
pub(super) async fn register(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    body: Result<Json<Register>, JsonRejection>,
) -> Result<Response, Problem> {
    if !auth.is_registration_open {
        let text = "people are invited here: ask the bank";
        return Err(Problem::new(StatusCode::FORBIDDEN, text));
    }
    let Json(register) = body?;
    let email = normalized(&register.email).map_err(|error| unprocessable(error.to_string()))?;
    let from = address::of(&headers);
    let attempt = auth
        .throttle
        .admit(Account::registrations(from), from, service::now);
    let attempt = attempt.await.map_err(throttled)?;
    let new = New {
        email,
        role: Role::Customer,
        password: register.password,
    };
    let made = make(&auth, &attempt, new, None).await?;
    Ok((StatusCode::CREATED, Json(made)).into_response())
}

fn new_code() -> Result<String, Problem> {
    let code = codes::random::<CODE_BYTES>();
    code.map_err(|error| Problem::unavailable("randomness", &error))
}

fn taken() -> Problem {
    let text = "somebody has this e-mail address already";
    Problem::new(StatusCode::CONFLICT, text)
}

fn no_such_code() -> Problem {
    let text = "this code is unknown, used or expired; ask for another";
    Problem::new(StatusCode::FORBIDDEN, text)
}
