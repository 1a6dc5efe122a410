//! `/api/mandates`: whom a person lets pay in their name. A person sees, gives and ends the own ones.

use std::collections::BTreeMap;
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
use common::ids::AccountId;
use common::token::Scope;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::types::Json as Stored;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::sessions::person;
use crate::app::Auth;
use crate::clients::terms::check_limits;
use crate::store;
use crate::store::events::{Event, names};

/// Whoever may pay may let others.
const PAYERS: &[Scope] = &[Scope::PaymentsSubmit, Scope::PaymentsSubmitAny];
/// Our own service that makes scheduled payments.
const SCHEDULER: &str = "payments";
/// Mandates of one person that stand at a time.
const MANDATES_MAX: i64 = 100;

pub(super) fn routes() -> OpenApiRouter<Arc<Auth>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(end))
}

/// What a person lets a program do.
#[derive(Debug, Serialize, JsonSchema)]
struct Mandate {
    id: Uuid,
    /// Which program.
    client_id: String,
    /// The most that one payment may move, by currency; anything when `null`.
    payment_max: Option<BTreeMap<String, String>>,
    /// The only accounts that may be debited; all that the person may when `null`.
    accounts: Option<Vec<Uuid>>,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
}

impl From<store::mandates::Mandate> for Mandate {
    fn from(row: store::mandates::Mandate) -> Self {
        Self {
            id: row.id,
            client_id: row.client_id,
            payment_max: row.payment_max.map(|maxima| maxima.0),
            accounts: row.accounts,
            created_at: row.created_at,
            expires_at: row.expires_at,
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
struct Mandates {
    /// The newest first.
    mandates: Vec<Mandate>,
}

/// List mandates
///
/// Those of the caller that stand, the newest first.
#[utoipa::path(
    get,
    path = "/api/mandates",
    tag = "Mandates",
    responses(Reply<200, Mandates>),
    security(("bearer" = ["payments:submit"]), ("bearer" = ["payments:submit-any"])),
)]
async fn list(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
) -> Result<Json<Mandates>, Problem> {
    let caller = auth.caller(&headers, PAYERS).await?;
    let user = person(caller.claims())?;
    let rows = store::mandates::of_user(&auth.pool, user, common::service::now()).await?;
    let mandates = rows.into_iter().map(Mandate::from).collect();
    Ok(Json(Mandates { mandates }))
}

/// A mandate to give.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"client_id": "payments", "payment_max": {"EUR": "50.00"}}))]
struct NewMandate {
    /// A service account, or `payments` for scheduled payments.
    client_id: String,
    payment_max: Option<BTreeMap<String, String>>,
    #[schemars(with = "Option<Vec<Uuid>>")]
    accounts: Option<Vec<AccountId>>,
    expires_at: Option<DateTime<Utc>>,
}

/// Give a mandate
///
/// Lets a program pay in the caller's name, within limits and until it is ended or expires.
#[utoipa::path(
    post,
    path = "/api/mandates",
    tag = "Mandates",
    params(Body<NewMandate>),
    responses(Reply<201, Mandate>, Problems<404>, Problems<409>),
    security(("bearer" = ["payments:submit"]), ("bearer" = ["payments:submit-any"])),
)]
async fn create(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    body: Result<Json<NewMandate>, JsonRejection>,
) -> Result<Response, Problem> {
    let caller = auth.caller(&headers, PAYERS).await?;
    let user = person(caller.claims())?;
    let Json(new) = body?;
    check_limits(new.payment_max.as_ref(), new.accounts.as_deref())?;
    let mut tx = auth.pool.begin().await?;
    let (_, now) = store::people::lock(&mut tx, user)
        .await?
        .ok_or_else(nobody)?;
    if new.expires_at.is_some_and(|at| at <= now) {
        return Err(invalid("expires_at: a time in the future"));
    }
    if new.client_id != SCHEDULER && !store::clients::is_active(&mut *tx, &new.client_id).await? {
        return Err(invalid("client_id: no active service account is called so"));
    }
    if store::mandates::count(&mut *tx, user, now).await? >= MANDATES_MAX {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "100 mandates stand; end one before you give another",
        ));
    }
    let mandate = store::mandates::Mandate {
        id: Uuid::now_v7(),
        user_id: user,
        client_id: new.client_id,
        payment_max: new.payment_max.map(Stored),
        accounts: new
            .accounts
            .map(|ids| ids.into_iter().map(|id| id.0).collect()),
        created_at: now,
        expires_at: new.expires_at,
    };
    store::mandates::insert(&mut *tx, &mandate).await?;
    let detail = serde_json::json!({
        "mandate": mandate.id,
        "client_id": mandate.client_id,
        "payment_max": mandate.payment_max,
        "accounts": mandate.accounts,
        "expires_at": mandate.expires_at,
    });
    let event = Event {
        what: names::MANDATE_GIVEN,
        actor: Some(caller.claims().client_id.as_str()),
        about: Some(&user.to_string()),
        detail,
    };
    store::events::record(&mut *tx, &event, now).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(Mandate::from(mandate))).into_response())
}

/// End a mandate
///
/// The program pays no more, also with the tokens that it has.
#[utoipa::path(
    delete,
    path = "/api/mandates/{id}",
    tag = "Mandates",
    params(("id" = Uuid, Path, description = "The mandate.", example = "01900000-0000-7000-8000-00000000ada0")),
    responses(Reply<204, ()>, Problems<404>),
    security(("bearer" = ["payments:submit"]), ("bearer" = ["payments:submit-any"])),
)]
async fn end(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let caller = auth.caller(&headers, PAYERS).await?;
    let user = person(caller.claims())?;
    let none = || Problem::new(StatusCode::NOT_FOUND, "no such mandate of yours stands");
    let Path(id) = id.map_err(|_| none())?;
    let mut tx = auth.pool.begin().await?;
    let (_, now) = store::people::lock(&mut tx, user)
        .await?
        .ok_or_else(nobody)?;
    let revocation = store::mandates::end(&mut tx, id, user, now).await?;
    let revocation = revocation.ok_or_else(none)?;
    let event = Event {
        what: names::MANDATE_ENDED,
        actor: Some(caller.claims().client_id.as_str()),
        about: Some(&user.to_string()),
        detail: serde_json::json!({"mandate": id}),
    };
    store::events::record(&mut *tx, &event, now).await?;
    tx.commit().await?;
    auth.until_revoked(&[revocation]).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn nobody() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is no such person")
}

fn invalid(text: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, text)
}
