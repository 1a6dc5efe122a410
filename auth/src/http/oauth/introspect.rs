//! `POST /oauth2/introspect`: whether a token counts at this moment, and what it says (RFC 7662).
//!
//! A program learns about its own tokens, and with the scope `auth:admin` about everybody's. Of any other token it hears what
//! it hears of nonsense: `{"active":false}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use common::http::describe::Form;
use common::http::describe::answers::Reply;
use common::token::Scope;
use serde_json::{Value, json};

use super::caller::authenticated;
use super::described::{Introspection, Presented, Refusals};
use super::presented;
use super::words::{self, Error, NO_STORE};
use crate::app::Auth;
use crate::http::simplejwt::words::Body;

/// Ask about a token
///
/// Whether it counts at this moment, and what it says (RFC 7662). A program learns about its own tokens, with
/// `auth:admin` about everybody's; of any other it hears `{"active": false}`.
#[utoipa::path(
    post,
    path = "/oauth2/introspect",
    tag = "OAuth2",
    params(Form<Presented>),
    responses(Reply<200, Introspection>, Refusals),
    security(("client" = []), ()),
)]
pub(super) async fn introspect(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Error> {
    let parameters = words::read(&headers, body).await?;
    let program = authenticated(&auth, &headers, &parameters).await?;
    let token = parameters
        .get("token")
        .ok_or(Error::InvalidRequest("token is missing"))?;
    let mut scopes = program.account.scopes.split_ascii_whitespace();
    let sees_all = scopes.any(|scope| scope == Scope::AuthAdmin.as_str());
    let presented = presented::access_token(&auth, token).await?;
    let seen = presented.filter(|token| sees_all || token.claims.client_id == program.client_id);
    let answer = match seen {
        Some(token) if auth.still_counts(&token.claims).await? => {
            let mut answer = json!({"active": true, "token_type": "Bearer"});
            let claims = serde_json::to_value(&token.claims).expect("claims are JSON");
            if let (Some(answer), Value::Object(claims)) = (answer.as_object_mut(), claims) {
                // SimpleJWT's `token_type` means something else than OAuth's.
                answer.extend(claims.into_iter().filter(|(name, _)| name != "token_type"));
            }
            answer
        }
        Some(_) | None => json!({"active": false}),
    };
    Ok((NO_STORE, Json(answer)).into_response())
}
