//! A person's second factor: started, confirmed with a first code, and taken away.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use common::http::describe::Body;
use common::http::describe::answers::{Problems, Reply};
use common::http::problem::Problem;
use common::service;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{Postgres, Transaction};

use super::change::locked_out;
use super::own::{lock_as_proved, oneself, prove, right, throttled};
use super::{ADMINS, Person, named, nobody, shown_once, unprocessable};
use crate::app::Auth;
use crate::http::{EVERYBODY, address};
use crate::lockout::Because;
use crate::second_factor::{self, Confirmed, Proof};
use crate::store::events::{Event, names};
use crate::store::people::User;
use crate::store::second_factors;
use crate::throttle::Account;
use crate::{store, totp};

/// How an authenticator names what its codes are for.
const APP_NAME: &str = "Quittance";

/// How it is with one's own.
#[derive(Debug, Serialize, JsonSchema)]
struct SecondFactor {
    /// Log-in asks for a code.
    is_on: bool,
    /// The bank asks its staff for one: without it, a token allows no more than a customer's.
    is_required: bool,
    recovery_codes_left: i64,
}

/// Show my second factor
///
/// Whether log-in asks for a code, and how many recovery codes are left.
#[utoipa::path(
    get,
    path = "/api/users/me/second-factor",
    tag = "Second factor",
    responses(Reply<200, SecondFactor>, Problems<404>),
    security(("bearer" = [])),
)]
pub(super) async fn show(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = auth.caller(&headers, EVERYBODY).await?;
    let user = oneself(&auth, caller.claims()).await?;
    let answer = SecondFactor {
        is_on: second_factors::is_on(&auth.pool, user.id).await?,
        is_required: auth.needs_second_factor(&user),
        recovery_codes_left: second_factors::recovery_codes_left(&auth.pool, user.id).await?,
    };
    Ok(Json(answer).into_response())
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({"current_password": "…"}))]
pub(super) struct Start {
    current_password: String,
}

/// What the authenticator is told.
#[derive(Debug, Serialize, JsonSchema)]
struct Started {
    otpauth_uri: String,
    /// Base32, for an authenticator that reads no URI.
    secret: String,
}

/// Start a second factor
///
/// A new secret for an authenticator. It counts when a code of it was shown.
#[utoipa::path(
    post,
    path = "/api/users/me/second-factor",
    tag = "Second factor",
    params(Body<Start>),
    responses(Reply<200, Started>, Problems<404>, Problems<409>, Problems<429>),
    security(("bearer" = [])),
)]
pub(super) async fn start(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    body: Result<Json<Start>, JsonRejection>,
) -> Result<Response, Problem> {
    let caller = auth.caller(&headers, EVERYBODY).await?;
    let Json(start) = body?;
    let user = oneself(&auth, caller.claims()).await?;
    right(prove(&auth, &headers, &user, start.current_password).await?).await?;
    let mut tx = auth.pool.begin().await?;
    let now = lock_as_proved(&mut tx, &user).await?;
    let secret = second_factor::start(&mut tx, &auth.keys.seal, user.id, now).await;
    let secret = secret.map_err(|error| unavailable(&error))?;
    let secret = secret.ok_or_else(|| {
        let text = "there is a second factor already; take it away first";
        Problem::new(StatusCode::CONFLICT, text)
    })?;
    tx.commit().await?;
    Ok(shown_once(&Started {
        otpauth_uri: totp::uri(&secret, APP_NAME, &user.email),
        secret,
    }))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({"code": "123456"}))]
pub(super) struct FirstCode {
    code: String,
}

/// What stands in for a lost authenticator.
#[derive(Debug, Serialize, JsonSchema)]
struct RecoveryCodes {
    /// Each passes once.
    recovery_codes: Vec<String>,
}

/// Confirm a second factor
///
/// Shows a first code. Log-in asks for one from now on; the recovery codes are shown this once.
#[utoipa::path(
    post,
    path = "/api/users/me/second-factor/confirm",
    tag = "Second factor",
    params(Body<FirstCode>),
    responses(Reply<200, RecoveryCodes>, Problems<404>, Problems<409>, Problems<422>, Problems<429>),
    security(("bearer" = [])),
)]
pub(super) async fn confirm(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    body: Result<Json<FirstCode>, JsonRejection>,
) -> Result<Response, Problem> {
    let caller = auth.caller(&headers, EVERYBODY).await?;
    let Json(first) = body?;
    let user = oneself(&auth, caller.claims()).await?;
    // A stolen token must not be a way to guess the first code.
    let (account, from) = (Account::person(&user.email), address::of(&headers));
    let attempt = auth.throttle.admit(account, from, service::now).await;
    let attempt = attempt.map_err(throttled)?;
    let mut tx = auth.pool.begin().await?;
    let (_, now) = store::people::lock(&mut tx, user.id)
        .await?
        .ok_or_else(nobody)?;
    let confirmed =
        second_factor::confirm(&mut tx, &auth.keys.seal, user.id, &first.code, now).await;
    match confirmed.map_err(|error| unavailable(&error))? {
        Confirmed::On(recovery_codes) => {
            right(attempt).await?;
            tx.commit().await?;
            Ok(shown_once(&RecoveryCodes { recovery_codes }))
        }
        Confirmed::NotStarted => {
            attempt.take_back(service::now()).await?;
            let text = "no second factor waits for its first code";
            Err(Problem::new(StatusCode::CONFLICT, text))
        }
        Confirmed::Wrong => {
            attempt.failed(Some(user.id.to_string()), service::now());
            let text = "this is no code of the authenticator at this time; its clock may be wrong";
            Err(unprocessable(text))
        }
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({"current_password": "…", "code": "123456"}))]
pub(super) struct Proven {
    current_password: String,
    /// Of the authenticator, or a recovery code.
    code: String,
}

/// Remove my second factor
///
/// With the password and a code. The password alone is enough from now on.
#[utoipa::path(
    delete,
    path = "/api/users/me/second-factor",
    tag = "Second factor",
    params(Body<Proven>),
    responses(Reply<204, ()>, Problems<404>, Problems<409>, Problems<429>),
    security(("bearer" = [])),
)]
pub(super) async fn remove(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    body: Result<Json<Proven>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let caller = auth.caller(&headers, EVERYBODY).await?;
    let Json(proven) = body?;
    let user = oneself(&auth, caller.claims()).await?;
    let (mut tx, now) = prove_both(&auth, &headers, &user, proven).await?;
    second_factors::delete(&mut *tx, user.id).await?;
    let event = Event {
        what: names::SECOND_FACTOR_OFF,
        actor: Some(caller.claims().client_id.as_str()),
        about: Some(&user.id.to_string()),
        detail: json!({"because": "removed"}),
    };
    store::events::record(&mut *tx, &event, now).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Renew my recovery codes
///
/// With the password and a code. Ten new ones, shown this once; those that were left are over.
#[utoipa::path(
    post,
    path = "/api/users/me/second-factor/recovery-codes",
    tag = "Second factor",
    params(Body<Proven>),
    responses(Reply<200, RecoveryCodes>, Problems<404>, Problems<409>, Problems<429>),
    security(("bearer" = [])),
)]
pub(super) async fn renew_recovery_codes(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    body: Result<Json<Proven>, JsonRejection>,
) -> Result<Response, Problem> {
    let caller = auth.caller(&headers, EVERYBODY).await?;
    let Json(proven) = body?;
    let user = oneself(&auth, caller.claims()).await?;
    let (mut tx, now) = prove_both(&auth, &headers, &user, proven).await?;
    let recovery_codes = second_factor::renew_recovery_codes(&mut tx, user.id, now).await;
    let recovery_codes = recovery_codes.map_err(|error| unavailable(&error))?;
    tx.commit().await?;
    Ok(shown_once(&RecoveryCodes { recovery_codes }))
}

/// Checks password and code, and uses the code up in the transaction that is returned, which holds the person's row.
async fn prove_both(
    auth: &Auth,
    headers: &HeaderMap,
    user: &User,
    proven: Proven,
) -> Result<(Transaction<'static, Postgres>, DateTime<Utc>), Problem> {
    let attempt = prove(auth, headers, user, proven.current_password).await?;
    let mut tx = auth.pool.begin().await?;
    let now = lock_as_proved(&mut tx, user).await?;
    let code = Some(proven.code.as_str());
    let proof = second_factor::judge(&mut tx, &auth.keys.seal, user.id, code, now).await;
    match proof.map_err(|error| unavailable(&error))? {
        Proof::Good => {}
        Proof::Wrong | Proof::Missing => {
            attempt.failed(Some(user.id.to_string()), service::now());
            let text = "code is neither one of the authenticator at this time nor a recovery code";
            return Err(Problem::new(StatusCode::FORBIDDEN, text));
        }
        Proof::NotNeeded => {
            right(attempt).await?;
            let text = "there is no second factor";
            return Err(Problem::new(StatusCode::CONFLICT, text));
        }
    }
    right(attempt).await?;
    Ok((tx, now))
}

/// Reset a person's second factor
///
/// An administrator takes a lost one away. The person is logged out everywhere: whoever found the authenticator may be
/// logged in.
#[utoipa::path(
    post,
    path = "/api/users/{id}/second-factor/reset",
    tag = "Second factor",
    params(("id" = Uuid, Path, description = "The person.", example = "01900000-0000-7000-8000-00000000ada0")),
    responses(Reply<200, Person>, Problems<404>, Problems<409>),
    security(("bearer" = ["auth:admin"])),
)]
pub(super) async fn reset(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    id: Result<Path<uuid::Uuid>, PathRejection>,
) -> Result<Json<Person>, Problem> {
    let caller = auth.caller(&headers, ADMINS).await?;
    let (id, claims) = (named(id)?, caller.claims());
    if claims.sub == id.to_string() {
        let text = "one's own second factor is taken away with the password and a code";
        return Err(Problem::new(StatusCode::CONFLICT, text));
    }
    let actor = claims.client_id.as_str();
    locked_out(&auth, id, Because::SecondFactorReset, actor).await
}

fn unavailable(error: &anyhow::Error) -> Problem {
    Problem::unavailable("the second factor", &format!("{error:#}"))
}
