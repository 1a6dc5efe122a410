//! `GET /api/users/me/`: who calls, in the words of a view that SimpleJWT protects. OPTIONS tells whoever may GET about it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, Method, header};
use axum::response::Response;
use common::http::describe::answers::Reply;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::described::Detail;
use super::words::{self, GET, Refusal, View};
use crate::app::Auth;
use crate::store;
use crate::tokens::simplejwt::{Broken, read_bearer};

const VIEW: View = View {
    name: "Me",
    description: "",
    fields: &[],
};

/// Who calls.
#[derive(Serialize, JsonSchema)]
struct Me {
    id: Uuid,
    email: String,
    username: String,
    role: String,
    /// What a token of this person allows.
    scopes: Vec<String>,
    /// The login that the token descends from.
    session: Uuid,
}

/// Who am I?
///
/// The person whose token it is, in the words of a view that SimpleJWT protects.
#[utoipa::path(
    get,
    path = "/api/users/me/",
    tag = "Tokens",
    responses(Reply<200, Me>, Reply<401, Detail>, Reply<503, Detail>),
    security(("bearer" = [])),
)]
pub(super) async fn me(
    State(auth): State<Arc<Auth>>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    if ![Method::GET, Method::HEAD, Method::OPTIONS].contains(&method) {
        return Err(Refusal::method_not_allowed(&method).allowing(GET));
    }
    let me = caller(&auth, &headers).await;
    let me = me.map_err(|refusal| refusal.allowing(GET))?;
    if method == Method::OPTIONS {
        return Ok(words::ok_allowing(GET, &VIEW.described()));
    }
    Ok(words::ok_allowing(GET, &me))
}

async fn caller(auth: &Auth, headers: &HeaderMap) -> Result<Me, Refusal> {
    let token = bearer(headers)?;
    let claims = read_bearer(token, &auth.keys.ring, common::service::now()).map_err(not_valid)?;
    let user_id = claims
        .get("user_id")
        .and_then(Value::as_str)
        .ok_or_else(|| {
            Refusal::unauthorized(
                "Token contained no recognizable user identification",
                "token_not_valid",
            )
        })?;
    let not_found = || Refusal::unauthorized("User not found", "user_not_found");
    let user_id: Uuid = user_id.parse().map_err(|_| not_found())?;
    let user = store::people::user_by_id(&auth.pool, user_id).await?;
    let user = user.ok_or_else(not_found)?;
    if !user.is_active {
        return Err(Refusal::unauthorized("User is inactive", "user_inactive"));
    }
    let session = claims.get("sid").and_then(Value::as_str);
    let session: Uuid = session
        .and_then(|session| session.parse().ok())
        .ok_or_else(|| not_valid(Broken::Invalid))?;
    if !store::sessions::is_alive(&auth.pool, session).await? {
        return Err(not_valid(Broken::Blacklisted));
    }
    let user = auth.as_it_counts(&auth.pool, user).await?;
    Ok(Me {
        id: user.id,
        email: user.email,
        username: user.username,
        role: user.role,
        scopes: user.scopes.split(' ').map(str::to_owned).collect(),
        session,
    })
}

/// The token, in SimpleJWT's reading of the header.
fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let missing = || Refusal::credentials("Authentication credentials were not provided.");
    let value = headers.get(header::AUTHORIZATION).ok_or_else(missing)?;
    let value = value.to_str().map_err(|_| not_valid(Broken::Invalid))?;
    let mut parts = value.split_ascii_whitespace();
    if parts.next() != Some("Bearer") {
        return Err(missing());
    }
    match (parts.next(), parts.next()) {
        (Some(token), None) => Ok(token),
        _ => Err(Refusal::unauthorized(
            "Authorization header must contain two space-delimited values",
            "bad_authorization_header",
        )),
    }
}

fn not_valid(broken: Broken) -> Refusal {
    #[derive(Serialize)]
    struct NotValid {
        detail: &'static str,
        code: &'static str,
        messages: [Message; 1],
    }
    #[derive(Serialize)]
    struct Message {
        token_class: &'static str,
        token_type: &'static str,
        message: String,
    }
    Refusal::unauthorized_with(&NotValid {
        detail: "Given token not valid for any token type",
        code: "token_not_valid",
        messages: [Message {
            token_class: "AccessToken",
            token_type: "access",
            message: broken.to_string(),
        }],
    })
}
