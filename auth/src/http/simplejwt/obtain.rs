//! `POST /api/token/`: a person logs in, and gets the first pair of a new family.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use common::http::describe::Body as Takes;
use common::http::describe::answers::Reply;
use schemars::JsonSchema;
use serde::Serialize;

use super::described::{Credentials, Detail, Refusals};
use super::login::{FIELDS, LoggedIn, Login, log_in};
use super::words::{self, Body, Refusal, View};
use crate::app::Auth;
use crate::tokens;
use crate::tokens::simplejwt::{Refresh, refresh};

const VIEW: View = View {
    name: "Auth Token Obtain Pair",
    description: "Custom Token Obtain Pair View to handle token generation requests.",
    fields: FIELDS,
};

/// Two tokens of a log-in.
#[derive(Serialize, JsonSchema)]
struct TokenPair {
    refresh: String,
    access: String,
}

/// Log in
///
/// A password in, two tokens out: one for five to fifteen minutes, and one that gets the next pair. Those who have a
/// second factor also send `otp`.
#[utoipa::path(
    post,
    path = "/api/token/",
    tag = "Tokens",
    params(Takes<Credentials>),
    responses(Reply<200, TokenPair>, Refusals, Reply<429, Detail>),
)]
pub(super) async fn obtain(
    State(auth): State<Arc<Auth>>,
    method: Method,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let logged_in = match log_in(&auth, &VIEW, &method, &headers, body).await? {
        Login::Done(logged_in) => logged_in,
        Login::Answer(answer) => return Ok(answer),
    };
    let LoggedIn {
        key,
        user,
        session,
        ends_at,
        now,
    } = *logged_in;
    let of_session = Refresh {
        user_id: user.id,
        family: session,
        generation: 0,
        family_ends_at: ends_at,
        issued_at: now,
    };
    Ok(words::ok(&TokenPair {
        refresh: refresh(&key, &of_session),
        access: tokens::of_session(&key, &user, (session, ends_at), now),
    }))
}
