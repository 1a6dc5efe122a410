//! `POST /oauth2/revoke`: a program ends one of its tokens, and whoever holds a refresh token ends its login (RFC 7009).
//!
//! The answer is 200 whatever the token is: it counts no more, or never did, or is somebody else's, which nobody learns here.
//! People have no client to authenticate: their refresh token alone shows that they may end it.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use common::http::describe::Form;
use common::http::describe::answers::Reply;
use common::ids::ClientId;
use common::service;
use common::token::Target;
use serde_json::json;
use uuid::Uuid;

use super::caller::{Program, authenticated};
use super::described::{Presented, Refusals};
use super::presented;
use super::words::{self, Error, NO_STORE};
use crate::app::Auth;
use crate::http::simplejwt::words::Body;
use crate::store;
use crate::store::events::Event;
use crate::tokens::simplejwt::read_refresh;

/// End a token
///
/// A program ends one of its access tokens; whoever holds a refresh token ends its log-in (RFC 7009). `200` whatever
/// the token is.
#[utoipa::path(
    post,
    path = "/oauth2/revoke",
    tag = "OAuth2",
    params(Form<Presented>),
    responses(Reply<200, ()>, Refusals),
    security(("client" = []), ()),
)]
pub(super) async fn revoke(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Error> {
    let parameters = words::read(&headers, body).await?;
    let token = parameters.get("token").map(String::as_str);
    let refresh = token.map(|token| read_refresh(token, &auth.keys.ring, service::now()));
    let refresh = refresh.and_then(Result::ok);
    let revocation = match (refresh, names_client(&headers, &parameters)) {
        (Some(refresh), false) => end_login(&auth, refresh.user_id, refresh.family).await?,
        (_, _) => {
            let program = authenticated(&auth, &headers, &parameters).await?;
            let token = token.ok_or(Error::InvalidRequest("token is missing"))?;
            end_token(&auth, &program, token).await?
        }
    };
    auth.until_revoked(revocation.as_slice()).await?;
    Ok((StatusCode::OK, NO_STORE).into_response())
}

/// Whether a client wants to authenticate.
fn names_client(headers: &HeaderMap, parameters: &HashMap<String, String>) -> bool {
    headers.contains_key(header::AUTHORIZATION)
        || ["client_secret", "client_assertion"]
            .iter()
            .any(|name| parameters.contains_key(*name))
}

/// Revokes an access token of this program. The revocation, if it is one.
async fn end_token(auth: &Auth, program: &Program, token: &str) -> Result<Option<Uuid>, Error> {
    let presented = presented::access_token(auth, token).await?;
    let Some(own) = presented.filter(|token| token.claims.client_id == program.client_id) else {
        return Ok(None);
    };
    let (jti, client_id) = (&own.claims.jti, program.client_id.as_str());
    let now = service::now();
    let mut tx = auth.pool.begin().await?;
    let event = Event {
        what: "token.revoked",
        actor: Some(client_id),
        about: Some(client_id),
        detail: json!({"jti": jti}),
    };
    store::events::record(&mut *tx, &event, now).await?;
    let target = Target::Token { jti: jti.clone() };
    let id = store::revocations::request(&mut *tx, &target, "token_revoked", now).await?;
    tx.commit().await?;
    Ok(Some(id))
}

/// Ends a login, if it goes on. The revocation.
async fn end_login(auth: &Auth, person: Uuid, family: Uuid) -> Result<Option<Uuid>, Error> {
    let mut tx = auth.pool.begin().await?;
    let Some((_, now)) = store::people::lock(&mut tx, person).await? else {
        return Ok(None);
    };
    let found = store::sessions::family_for_update(&mut *tx, family).await?;
    if !found.is_some_and(|found| found.user_id == person && !found.is_over) {
        return Ok(None);
    }
    let actor = ClientId::of_user(person);
    let actor = Some(actor.as_str());
    let ended = store::sessions::end(&mut tx, family, "logged_out", actor, now).await?;
    tx.commit().await?;
    Ok(ended)
}
