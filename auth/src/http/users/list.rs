//! Who there is: a page of people, or one of them.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use common::http::describe::Of;
use common::http::describe::answers::{Problems, Reply};
use common::http::page::{self, Page};
use common::http::problem::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ADMINS, PATH, Person, found, named};
use crate::app::Auth;
use crate::store;

/// People in a list, unless asked for otherwise.
const ROWS_DEFAULT: u32 = 50;

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// Part of the e-mail address.
    email: Option<String>,
    /// How many at most.
    #[schemars(range(min = 1, max = 100), example = 10)]
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

/// List people
///
/// By e-mail address.
#[utoipa::path(
    get,
    path = "/api/users",
    tag = "People",
    params(Of<ListQuery>),
    responses(Reply<200, People>),
    security(("bearer" = ["auth:admin"])),
)]
pub(super) async fn list(
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
    Ok(page.answer(|rows, next| People {
        users: rows.into_iter().map(Person::from).collect(),
        next,
    }))
}

/// Show a person
///
/// As administrators see one.
#[utoipa::path(
    get,
    path = "/api/users/{id}",
    tag = "People",
    params(("id" = Uuid, Path, description = "The person.", example = "01900000-0000-7000-8000-00000000ada0")),
    responses(Reply<200, Person>, Problems<404>),
    security(("bearer" = ["auth:admin"])),
)]
pub(super) async fn show(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<Json<Person>, Problem> {
    auth.caller(&headers, ADMINS).await?;
    found(&auth, named(id)?).await.map(Json)
}
