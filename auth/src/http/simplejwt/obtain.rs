//! `POST /api/token/`: a person logs in.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use common::service;
use common::token::{Audience, new_jti};
use serde::Serialize;
use uuid::Uuid;

use super::words::{self, Body, Field, Refusal, View};
use crate::app::Auth;
use crate::store;
use crate::tokens::{self, Refresh, Subject, Terms};

const OBTAIN: View = View {
    name: "Auth Token Obtain Pair",
    description: "Custom Token Obtain Pair View to handle token generation requests.",
    fields: &[
        Field {
            name: "email",
            label: "Email",
        },
        Field {
            name: "password",
            label: "Password",
        },
    ],
};
/// `POST /api/token/`: a password in, the first pair of a new family out.
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
    let [email, password] = match OBTAIN.read(&method, &headers, body).await? {
        words::Read::Fields(fields) => fields,
        words::Read::Answer(answer) => return Ok(answer),
    };
    auth.refuse_until_ready()?;
    let user = store::people::user_by_email(&auth.pool, &email).await?;
    let hash = user.as_ref().map(|user| user.password_hash.clone());
    let is_right = auth.passwords.verify(password, hash).await?;
    let Some(user) = user.filter(|user| is_right && user.is_active) else {
        return Err(Refusal::credentials(
            "No active account found with the given credentials",
        ));
    };

    let (now, jti, family) = (service::now(), new_jti(), Uuid::now_v7());
    let ends_at = now + tokens::FAMILY_LIFE;
    let new = store::sessions::NewFamily {
        id: family,
        user_id: user.id,
        jti: &jti,
        ends_at,
    };
    let mut tx = auth.pool.begin().await?;
    store::sessions::insert_family(&mut *tx, &new, now).await?;
    store::people::note_login(&mut *tx, user.id, now).await?;
    tx.commit().await?;

    let refresh = Refresh {
        jti: &jti,
        user_id: user.id,
        family,
        family_ends_at: ends_at,
    };
    let key = auth.keys.signing();
    Ok(words::ok(&Pair {
        refresh: tokens::refresh(&key, &refresh, now),
        access: tokens::access(
            &key,
            Subject::user(user.id, family, user.scopes),
            Terms::longest(Audience::Http, now),
        ),
    }))
}
