//! `POST /api/token/refresh/`: a refresh token is exchanged for its successor.
//!
//! The good token of a family makes its successor. The one before it makes the same successor for some seconds more, for a
//! client that never got the answer. An older one was stolen, or its successor was: the family ends.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use common::http::describe::Body as Takes;
use common::http::describe::answers::Reply;
use common::ids::ClientId;
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::PgConnection;

use super::described::{RefreshToken, Refusals};
use super::words::{self, Body, Field, Refusal, View};
use crate::app::Auth;
use crate::store;
use crate::store::events::{Event, names};
use crate::store::people::User;
use crate::store::sessions::{Family, NewSession};
use crate::tokens;
use crate::tokens::simplejwt::{
    Broken, FAMILY_LIFE, Refresh, RefreshClaims, read_refresh, refresh as successor,
};

const VIEW: View = View {
    name: "Token Refresh",
    description: "Takes a refresh type JSON web token and returns an access type JSON web\ntoken if the refresh token is valid.",
    fields: &[Field {
        name: "refresh",
        label: "Refresh",
        is_trimmed: true,
    }],
};

/// How long a lost answer may be asked for again.
const LOST_ANSWER_WINDOW: TimeDelta = TimeDelta::seconds(10);

/// The next two tokens of a log-in.
#[derive(Serialize, JsonSchema)]
struct NextPair {
    access: String,
    refresh: String,
}

/// Get the next pair
///
/// A refresh token in, an access token and the next refresh token out. One that was used before ends the whole log-in:
/// it or its successor was stolen.
#[utoipa::path(
    post,
    path = "/api/token/refresh/",
    tag = "Tokens",
    params(Takes<RefreshToken>),
    responses(Reply<200, NextPair>, Refusals),
)]
pub(super) async fn refresh(
    State(auth): State<Arc<Auth>>,
    method: Method,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let [token] = match VIEW.read(&method, &headers, body).await? {
        words::Read::Fields(fields) => fields,
        words::Read::Answer(answer) => return Ok(answer),
    };
    let key = auth.signing_key().ok_or_else(Refusal::unavailable)?;
    let claims = read_refresh(&token, &auth.keys.ring, common::service::now())?;

    let mut tx = auth.pool.begin().await?;
    // The person first, then the session: so does whoever locks a person out.
    let locked = store::people::lock(&mut tx, claims.user_id).await?;
    if let (Some(kid), Some((user, now))) = (&claims.imported_from, &locked) {
        begin_imported(&mut tx, &claims, kid, user, *now).await?;
    }
    let family = store::sessions::family_for_update(&mut *tx, claims.family).await?;
    let family = family.filter(|family| family.user_id == claims.user_id);
    let Some((family, (user, now))) = family.zip(locked) else {
        return Err(Broken::Blacklisted.into());
    };
    let (generation, issued_at) = match next(&family, &claims, now) {
        Next::New(generation) => {
            store::sessions::advance_family(&mut *tx, claims.family, generation, now).await?;
            (generation, now)
        }
        Next::Again => (family.generation, family.refreshed_at),
        Next::Over => return Err(Broken::Blacklisted.into()),
        Next::Reused => {
            tracing::warn!(user_id = %user.id, family = %claims.family, "a used refresh token came again, its family is over");
            store::sessions::end(&mut tx, claims.family, "refresh_reused", None, now).await?;
            tx.commit().await?;
            return Err(Broken::Blacklisted.into());
        }
    };
    // Read again each time: rights that were taken away are gone from here on.
    if !user.is_active {
        return Err(Refusal::credentials(
            "No active account found for the given token.",
        ));
    }
    let user = auth.as_it_counts(&mut *tx, user).await?;
    tx.commit().await?;
    let of_session = Refresh {
        user_id: user.id,
        family: claims.family,
        generation,
        family_ends_at: family.ends_at,
        issued_at,
    };
    Ok(words::ok(&NextPair {
        access: tokens::of_session(&key, &user, (claims.family, family.ends_at), now),
        refresh: successor(&key, &of_session),
    }))
}

/// Begins the session that a refresh token of another system stands for, when it comes for the first time and its person
/// was not locked out since it was issued.
async fn begin_imported(
    tx: &mut PgConnection,
    claims: &RefreshClaims,
    kid: &str,
    user: &User,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    if !user.is_active || claims.iat <= user.tokens_valid_after {
        return Ok(());
    }
    let session = NewSession {
        id: claims.family,
        user_id: user.id,
        ends_at: now + FAMILY_LIFE,
    };
    if !store::sessions::insert_session(&mut *tx, &session, now).await? {
        return Ok(());
    }
    let client_id = ClientId::of_user(user.id);
    let event = Event {
        what: names::USER_LOGGED_IN,
        actor: Some(client_id.as_str()),
        about: Some(&user.id.to_string()),
        detail: serde_json::json!({"session": session.id, "imported_from": kid}),
    };
    store::events::record(tx, &event, now).await
}

/// What a refresh token leads to.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// The successor, of this generation.
    New(i32),
    /// The successor that was made a moment ago.
    Again,
    /// Its login has ended.
    Over,
    /// It was used before.
    Reused,
}

fn next(family: &Family, token: &RefreshClaims, now: DateTime<Utc>) -> Next {
    if family.is_over || family.ends_at <= now {
        return Next::Over;
    }
    // A token without a generation is the good one if the family has none either, and names it.
    let is_good = match token.generation {
        Some(generation) => generation == family.generation,
        None => family.jti.as_ref() == Some(&token.jti),
    };
    if is_good {
        return Next::New(family.generation + 1);
    }
    let is_last = token
        .generation
        .is_some_and(|generation| generation + 1 == family.generation);
    if is_last && now - family.refreshed_at <= LOST_ANSWER_WINDOW {
        return Next::Again;
    }
    Next::Reused
}
