//! `POST /api/token/`: a person logs in, and gets the first pair of a new family.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use serde::Serialize;

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

/// A password in, two tokens out.
pub(super) async fn obtain(
    State(auth): State<Arc<Auth>>,
    method: Method,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    #[derive(Serialize)]
    struct Pair {
        refresh: String,
        access: String,
    }
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
    Ok(words::ok(&Pair {
        refresh: refresh(&key, &of_session),
        access: tokens::of_session(&key, &user, (session, ends_at), now),
    }))
}
