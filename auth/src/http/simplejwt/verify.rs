//! `POST /api/token/verify/`: whether a token still counts, whatever its type.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use common::http::describe::Body as Takes;
use common::http::describe::answers::Reply;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::described::{AnyToken, Nothing, Refusals};
use super::words::{self, Body, Field, Refusal, View};
use crate::app::Auth;
use crate::store;
use crate::tokens::simplejwt::{Broken, IMPORTED_FROM, read};

const VIEW: View = View {
    name: "Token Verify",
    description: "Takes a token and indicates if it is valid.  This view provides no\ninformation about a token's fitness for a particular use.",
    fields: &[Field {
        name: "token",
        label: "Token",
        is_trimmed: true,
    }],
};

/// Does a token count?
///
/// Whatever its type.
#[utoipa::path(
    post,
    path = "/api/token/verify/",
    tag = "Tokens",
    params(Takes<AnyToken>),
    responses(Reply<200, Nothing>, Refusals),
)]
pub(super) async fn verify(
    State(auth): State<Arc<Auth>>,
    method: Method,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let [token] = match VIEW.read(&method, &headers, body).await? {
        words::Read::Fields(fields) => fields,
        words::Read::Answer(answer) => return Ok(answer),
    };
    let claims = read(&token, &auth.keys.ring, common::service::now())?;
    if !counts(&auth, &claims).await? {
        return Err(Refusal::non_field(&Broken::Blacklisted.to_string()));
    }
    Ok(words::ok(&Map::new()))
}

/// Whether neither its login nor, of a refresh token, its successor ended it.
async fn counts(auth: &Auth, claims: &Map<String, Value>) -> sqlx::Result<bool> {
    let id = |name: &str| {
        let text = claims.get(name).and_then(Value::as_str);
        text.and_then(|text| text.parse::<Uuid>().ok())
    };
    let jti = claims
        .get("jti")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if store::revocations::has_token(&auth.pool, jti).await? {
        return Ok(false);
    }
    let issued_at = claims.get("iat").and_then(Value::as_i64);
    let issued_at = issued_at.unwrap_or_default();
    if claims.contains_key(IMPORTED_FROM) {
        let Some(user) = id("user_id") else {
            return Ok(false);
        };
        let family = id("family");
        return store::sessions::is_good_imported(&auth.pool, user, issued_at, family).await;
    }
    let client_id = claims.get("client_id").and_then(Value::as_str);
    // A program's token names its credential, a person's the login.
    if let Some(program) = client_id.filter(|id| !id.starts_with("user-")) {
        return store::clients::still_counts(&auth.pool, program, id("sid"), issued_at).await;
    }
    if let Some(session) = id("sid") {
        return store::sessions::is_alive(&auth.pool, session).await;
    }
    if let Some(family) = id("family") {
        let generation = claims.get("generation").and_then(Value::as_i64);
        return store::sessions::is_good(&auth.pool, family, generation, Some(jti)).await;
    }
    Ok(false)
}
