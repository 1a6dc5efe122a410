//! `POST /api/token/blacklist/`: log-out. The session ends, with every token that descends from it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use common::http::describe::Body as Takes;
use common::http::describe::answers::Reply;
use common::ids::ClientId;
use serde_json::Map;

use super::described::{Nothing, RefreshToken, Refusals};
use super::words::{self, Body, Field, Refusal, View};
use crate::app::Auth;
use crate::store;
use crate::tokens::simplejwt::{Broken, read_refresh};

const VIEW: View = View {
    name: "Token Blacklist",
    description: "Takes a token and blacklists it. Must be used with the\n`rest_framework_simplejwt.token_blacklist` app installed.",
    fields: &[Field {
        name: "refresh",
        label: "Refresh",
        is_trimmed: true,
    }],
};

/// Log out
///
/// A refresh token in. Its session ends, with every token that descends from it.
#[utoipa::path(
    post,
    path = "/api/token/blacklist/",
    tag = "Tokens",
    params(Takes<RefreshToken>),
    responses(Reply<205, Nothing>, Refusals),
)]
pub(super) async fn blacklist(
    State(auth): State<Arc<Auth>>,
    method: Method,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let [token] = match VIEW.read(&method, &headers, body).await? {
        words::Read::Fields(fields) => fields,
        words::Read::Answer(answer) => return Ok(answer),
    };
    let claims = read_refresh(&token, &auth.keys.ring, common::service::now())?;
    let mut tx = auth.pool.begin().await?;
    let locked = store::people::lock(&mut tx, claims.user_id).await?;
    let (_, now) = locked.ok_or(Broken::Blacklisted)?;
    let family = store::sessions::family_for_update(&mut *tx, claims.family).await?;
    let actor = ClientId::of_user(claims.user_id);
    // Whoever has a token of this login may end it, also with one that was used: who logs out must get out.
    let is_own = family.is_some_and(|family| family.user_id == claims.user_id && !family.is_over);
    let ended = if is_own {
        store::sessions::end(
            &mut tx,
            claims.family,
            "logged_out",
            Some(actor.as_str()),
            now,
        )
        .await?
    } else {
        None
    };
    let revocation = ended.ok_or(Broken::Blacklisted)?;
    tx.commit().await?;
    auth.until_revoked(&[revocation]).await?;
    let mut response = words::ok(&Map::new());
    *response.status_mut() = StatusCode::RESET_CONTENT;
    Ok(response)
}
