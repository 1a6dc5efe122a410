//! `POST /api/token/sliding/` and `…/refresh/`: one token that is refreshed itself, for five minutes at a time and a day in all.
//!
//! It passes where the old system's verifiers and `/api/users/me/` ask for it, and at no service of the bank: those want
//! access tokens.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use common::http::describe::Body as Takes;
use common::http::describe::answers::Reply;
use schemars::JsonSchema;
use serde::Serialize;

use super::described::{AnyToken, Credentials, Detail, Refusals};
use super::login::{FIELDS, Login, log_in};
use super::words::{self, Body, Field, Refusal, View};
use crate::app::Auth;
use crate::store;
use crate::tokens::simplejwt::{Broken, read_sliding, slid, sliding};

const OBTAIN: View = View {
    name: "Token Obtain Sliding",
    description: "Takes a set of user credentials and returns a sliding JSON web token to\nprove the authentication of those credentials.",
    fields: FIELDS,
};
const REFRESH: View = View {
    name: "Token Refresh Sliding",
    description: "Takes a sliding JSON web token and returns a new, refreshed version if the\ntoken's refresh period has not expired.",
    fields: &[Field {
        name: "token",
        label: "Token",
        is_trimmed: true,
    }],
};

/// A token that is refreshed itself.
#[derive(Serialize, JsonSchema)]
struct Sliding {
    token: String,
}

/// Log in for a sliding token
///
/// A password in, one token out that is refreshed itself. It passes at no service of the bank.
#[utoipa::path(
    post,
    path = "/api/token/sliding/",
    operation_id = "obtain_sliding",
    tag = "Tokens",
    params(Takes<Credentials>),
    responses(Reply<200, Sliding>, Refusals, Reply<429, Detail>),
)]
pub(super) async fn obtain(
    State(auth): State<Arc<Auth>>,
    method: Method,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let logged_in = match log_in(&auth, &OBTAIN, &method, &headers, body).await? {
        Login::Done(logged_in) => logged_in,
        Login::Answer(answer) => return Ok(answer),
    };
    let key = &logged_in.key;
    let token = sliding(key, logged_in.user.id, logged_in.session, logged_in.now);
    Ok(words::ok(&Sliding { token }))
}

/// Refresh a sliding token
///
/// The same for five minutes more, for a day in all.
#[utoipa::path(
    post,
    path = "/api/token/sliding/refresh/",
    operation_id = "refresh_sliding",
    tag = "Tokens",
    params(Takes<AnyToken>),
    responses(Reply<200, Sliding>, Refusals),
)]
pub(super) async fn refresh(
    State(auth): State<Arc<Auth>>,
    method: Method,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let [token] = match REFRESH.read(&method, &headers, body).await? {
        words::Read::Fields(fields) => fields,
        words::Read::Answer(answer) => return Ok(answer),
    };
    let key = auth.signing_key().ok_or_else(Refusal::unavailable)?;
    let now = common::service::now();
    let claims = read_sliding(&token, &auth.keys.ring, now)?;
    let user = store::people::user_by_id(&auth.pool, claims.user_id).await?;
    if !user.is_some_and(|user| user.is_active) {
        return Err(Refusal::credentials(
            "No active account found for the given token.",
        ));
    }
    if !store::sessions::is_alive(&auth.pool, claims.sid).await? {
        return Err(Broken::Blacklisted.into());
    }
    let token = slid(&key, &claims, now);
    Ok(words::ok(&Sliding { token }))
}
