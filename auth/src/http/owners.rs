//! `GET /api/owners/{id}`: whether somebody may own accounts, for whoever opens them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use common::http::describe::answers::{Problems, Reply};
use common::http::problem::Problem;
use common::ids::is_storable;
use common::token::Scope;
use schemars::JsonSchema;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::Auth;
use crate::store;

/// Who opens accounts.
const OPENERS: &[Scope] = &[Scope::AccountsWrite, Scope::BankOperate];

pub(super) fn routes() -> OpenApiRouter<Arc<Auth>> {
    OpenApiRouter::new().routes(routes!(show))
}

/// Somebody who may own accounts.
#[derive(Debug, Serialize, JsonSchema)]
struct Owner {
    /// The `sub` of their tokens.
    owner: String,
    kind: Kind,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "OwnerKind")]
enum Kind {
    Person,
    ServiceAccount,
}

/// May somebody own accounts?
///
/// For whoever opens accounts in the name of others.
#[utoipa::path(
    get,
    path = "/api/owners/{id}",
    operation_id = "show_owner",
    tag = "People",
    params(("id" = String, Path, description = "A person's id, or a service account's name.", example = "demo-shop")),
    responses(Reply<200, Owner>, Problems<404>),
    security(("bearer" = ["accounts:write"]), ("bearer" = ["bank:operate"])),
)]
async fn show(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Json<Owner>, Problem> {
    auth.caller(&headers, OPENERS).await?;
    let nobody = || Problem::new(StatusCode::NOT_FOUND, "there is nobody of this id");
    if let Ok(person) = id.parse::<Uuid>() {
        let person = store::people::user_by_id(&auth.pool, person).await?;
        let person = person.ok_or_else(nobody)?;
        return Ok(Json(Owner {
            owner: person.id.to_string(),
            kind: Kind::Person,
        }));
    }
    if !is_storable(&id) || !store::clients::exists(&auth.pool, &id).await? {
        return Err(nobody());
    }
    Ok(Json(Owner {
        owner: id,
        kind: Kind::ServiceAccount,
    }))
}
