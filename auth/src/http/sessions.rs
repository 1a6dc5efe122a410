//! Sessions: what is logged in, and ending it.
//!
//! A person sees and ends the own ones; `auth:admin` those of anybody.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use chrono::{DateTime, Utc};
use common::http::describe::Of;
use common::http::describe::answers::{Problems, Reply};
use common::http::problem::Problem;
use common::token::{Claims, Scope};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::EVERYBODY;
use crate::app::Auth;
use crate::lockout::{Because, lock_out};
use crate::store;

pub(super) fn routes() -> OpenApiRouter<Arc<Auth>> {
    OpenApiRouter::new()
        .routes(routes!(list, end_all))
        .routes(routes!(end))
}

#[derive(Debug, Serialize, JsonSchema)]
struct Sessions {
    sessions: Vec<Session>,
}

/// A login that goes on.
#[derive(Debug, Serialize, JsonSchema)]
struct Session {
    id: Uuid,
    created_at: DateTime<Utc>,
    refreshed_at: DateTime<Utc>,
    /// However often it is refreshed, the person logs in again after this.
    ends_at: DateTime<Utc>,
    /// The one that asks.
    is_current: bool,
}

/// The person that a token is of.
pub(super) fn person(claims: &Claims) -> Result<Uuid, Problem> {
    let nobody = || {
        Problem::new(
            StatusCode::FORBIDDEN,
            "a program has no sessions; ask as a person",
        )
    };
    let is_person = claims.sid.is_some();
    claims
        .sub
        .parse()
        .ok()
        .filter(|_| is_person)
        .ok_or_else(nobody)
}

/// List sessions
///
/// The caller's own log-ins that go on.
#[utoipa::path(
    get,
    path = "/api/sessions",
    tag = "Sessions",
    responses(Reply<200, Sessions>),
    security(("bearer" = [])),
)]
async fn list(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
) -> Result<Json<Sessions>, Problem> {
    let caller = auth.caller(&headers, EVERYBODY).await?;
    let user = person(caller.claims())?;
    let current = caller.claims().sid.as_deref();
    let rows = store::sessions::of_user(&auth.pool, user, common::service::now()).await?;
    let sessions = rows.into_iter().map(|row| Session {
        is_current: current == Some(&row.id.to_string()),
        id: row.id,
        created_at: row.created_at,
        refreshed_at: row.refreshed_at,
        ends_at: row.ends_at,
    });
    Ok(Json(Sessions {
        sessions: sessions.collect(),
    }))
}

/// End a session
///
/// Log-out there: its tokens count no more, at any service. `auth:admin` ends those of anybody.
#[utoipa::path(
    delete,
    path = "/api/sessions/{id}",
    tag = "Sessions",
    params(("id" = Uuid, Path, description = "The session.", example = "01900000-0000-7000-8000-00000000ada0")),
    responses(Reply<204, ()>, Problems<404>),
    security(("bearer" = [])),
)]
async fn end(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let caller = auth.caller(&headers, EVERYBODY).await?;
    let none = || Problem::new(StatusCode::NOT_FOUND, "there is no such session of yours");
    let Path(id) = id.map_err(|_| none())?;
    let owner = store::sessions::owner(&auth.pool, id)
        .await?
        .ok_or_else(none)?;
    let claims = caller.claims();
    if owner.to_string() != claims.sub && !claims.allows(Scope::AuthAdmin) {
        return Err(none());
    }
    let mut tx = auth.pool.begin().await?;
    let (_, now) = store::people::lock(&mut tx, owner)
        .await?
        .ok_or_else(none)?;
    let actor = claims.client_id.as_str();
    let ended = store::sessions::end(&mut tx, id, "logged_out", Some(actor), now).await?;
    tx.commit().await?;
    if let Some(revocation) = ended {
        auth.until_revoked(&[revocation]).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// This one too.
    #[serde(default)]
    current: bool,
}

/// End sessions
///
/// Log-out everywhere else; with `?current=true`, here too.
#[utoipa::path(
    delete,
    path = "/api/sessions",
    tag = "Sessions",
    params(Of<Which>),
    responses(Reply<204, ()>),
    security(("bearer" = [])),
)]
async fn end_all(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    query: Result<Query<Which>, QueryRejection>,
) -> Result<StatusCode, Problem> {
    let caller = auth.caller(&headers, EVERYBODY).await?;
    let (claims, Query(which)) = (caller.claims(), query?);
    let user = person(claims)?;
    let actor = claims.client_id.as_str();
    if which.current {
        lock_out(&auth, user, Because::LoggedOutEverywhere, actor).await?;
        return Ok(StatusCode::NO_CONTENT);
    }
    let current = claims.sid.as_deref();
    let mut tx = auth.pool.begin().await?;
    let Some((_, now)) = store::people::lock(&mut tx, user).await? else {
        return Ok(StatusCode::NO_CONTENT);
    };
    let mut revocations = Vec::new();
    for session in store::sessions::of_user(&mut *tx, user, now).await? {
        if current != Some(&session.id.to_string()) {
            let because = "logged_out_elsewhere";
            let ended =
                store::sessions::end(&mut tx, session.id, because, Some(actor), now).await?;
            revocations.extend(ended);
        }
    }
    tx.commit().await?;
    auth.until_revoked(&revocations).await?;
    Ok(StatusCode::NO_CONTENT)
}
