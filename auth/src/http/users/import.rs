//! People of a Django system, a chunk at a time: `POST /api/users/import`.
//!
//! A chunk is one transaction, and only adds people: who is there already stays as is. So an import that died between two
//! chunks is repeated from the beginning. A row that can't be taken gets a reason, and the others of its chunk are created.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::HeaderMap;
use common::http::describe::Body;
use common::http::describe::answers::{Problems, Reply};
use common::http::problem::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt as _};
use utoipa_axum::routes;
use uuid::Uuid;

use super::{ADMINS, unprocessable};
use crate::app::Auth;
use crate::people::Role;
use crate::people::import::{Key, Moved, Row};
use crate::store;
use crate::store::events::{Event, names};
use crate::store::people::{MovedUser, NewUser};

/// Most people of a chunk: with an insert and an event for each it takes well under a second.
const ROWS_MAX: usize = 500;
/// A row has under 1 KiB: an address, a name and a hash of at most 256 characters each.
const BODY_BYTES_MAX: usize = 1024 * ROWS_MAX;

pub(super) fn routes() -> OpenApiRouter<Arc<Auth>> {
    let limit = DefaultBodyLimit::max(BODY_BYTES_MAX);
    OpenApiRouter::new().routes(routes!(import).layer(limit))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"people": [], "dry_run": true}))]
struct Chunk {
    people: Vec<Row>,
    /// Only says what would happen.
    #[serde(default)]
    dry_run: bool,
}

/// What came of each row, in their order.
#[derive(Debug, Serialize, JsonSchema)]
struct Report {
    people: Vec<Outcome>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ImportOutcome")]
struct Outcome {
    /// The key in Django.
    key: Key,
    email: String,
    #[serde(flatten)]
    came_to: CameTo,
}

#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum CameTo {
    Created {
        id: Uuid,
        /// Without one nobody logs in until an administrator sets it.
        has_password: bool,
    },
    /// The same id with the same address.
    AlreadyThere {
        id: Uuid,
    },
    Refused {
        reason: &'static str,
    },
}

/// Import people
///
/// People of a Django system, 500 at most at a time, with their passwords' hashes. Who is there already stays as is.
#[utoipa::path(
    post,
    path = "/api/users/import",
    tag = "People",
    params(Body<Chunk>),
    responses(Reply<200, Report>, Problems<422>),
    security(("bearer" = ["auth:admin"])),
)]
async fn import(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    body: Result<Json<Chunk>, JsonRejection>,
) -> Result<Json<Report>, Problem> {
    let caller = auth.caller(&headers, ADMINS).await?;
    let Json(chunk) = body?;
    if chunk.people.len() > ROWS_MAX {
        let text = format!("a request imports at most {ROWS_MAX} people");
        return Err(unprocessable(text));
    }
    let actor = caller.claims().client_id.as_str();
    let same_address = same_address(&chunk.people);
    let mut rows: Vec<_> = chunk
        .people
        .into_iter()
        .zip(same_address)
        .enumerate()
        .collect();
    // In one order: two imports that add the same people otherwise would wait for each other.
    rows.sort_by_cached_key(|(_, (row, _))| row.email.to_lowercase());
    let mut tx = auth.pool.begin().await?;
    let mut people = Vec::with_capacity(rows.len());
    for (at, (row, is_shared)) in rows {
        let came_to = match row.read() {
            Err(reason) => CameTo::Refused { reason },
            Ok(_) if is_shared => CameTo::Refused {
                reason: "another row has this e-mail address, but for upper and lower case",
            },
            Ok(moved) => create(&mut tx, &moved, actor).await?,
        };
        let outcome = Outcome {
            key: row.id,
            email: row.email,
            came_to,
        };
        people.push((at, outcome));
    }
    people.sort_by_key(|(at, _)| *at);
    let people = people.into_iter().map(|(_, outcome)| outcome).collect();
    if chunk.dry_run {
        tx.rollback().await?;
    } else {
        tx.commit().await?;
    }
    Ok(Json(Report { people }))
}

/// For each row, whether another one with another key has its address. Which of them is meant, a person must decide.
fn same_address(rows: &[Row]) -> Vec<bool> {
    let address = |row: &Row| row.email.trim().to_lowercase();
    let mut keys: HashMap<String, &Key> = HashMap::new();
    let mut shared = HashSet::new();
    for row in rows {
        let first = keys.entry(address(row)).or_insert(&row.id);
        if **first != row.id {
            shared.insert(address(row));
        }
    }
    rows.iter()
        .map(|row| shared.contains(&address(row)))
        .collect()
}

async fn create(db: &mut PgConnection, moved: &Moved, actor: &str) -> sqlx::Result<CameTo> {
    let id = moved.id;
    let now = common::service::now();
    let user = NewUser {
        id,
        email: &moved.email,
        username: &moved.username,
        password_hash: &moved.password_hash,
        is_staff: moved.role != Role::Customer,
        role: moved.role.as_str(),
        scopes: moved.role.scopes(),
    };
    let user = MovedUser {
        user,
        is_active: moved.is_active,
        created_at: moved.created_at.unwrap_or(now),
        last_login_at: moved.last_login_at,
    };
    if !store::people::insert_moved(&mut *db, &user, now).await? {
        let has_id = store::people::user_by_id(&mut *db, id).await?;
        return Ok(match has_id {
            Some(user) if user.email.to_lowercase() == moved.email.to_lowercase() => {
                CameTo::AlreadyThere { id }
            }
            Some(_) => CameTo::Refused {
                reason: "somebody with another e-mail address has this key",
            },
            None => CameTo::Refused {
                reason: "somebody has this e-mail address already",
            },
        });
    }
    let (role, has_password) = (moved.role.as_str(), moved.has_password());
    let event = Event {
        what: names::USER_IMPORTED,
        actor: Some(actor),
        about: Some(&id.to_string()),
        detail: serde_json::json!({"role": role, "has_password": has_password, "is_active": moved.is_active}),
    };
    store::events::record(&mut *db, &event, now).await?;
    Ok(CameTo::Created { id, has_password })
}
