//! Logging in with an address and a password, and a code for those who have a second factor: a session begins.

use std::sync::Arc;

use axum::http::{HeaderMap, Method};
use axum::response::Response;
use chrono::{DateTime, Utc};
use common::ids::ClientId;
use common::service;
use uuid::Uuid;

use super::words::{Body, Field, Read, Refusal, View};
use crate::app::Auth;
use crate::http::address;
use crate::keys::SigningKey;
use crate::passwords::django::DjangoHash;
use crate::second_factor::{self, Proof};
use crate::store;
use crate::store::events::{Event, names};
use crate::store::people::User;
use crate::store::sessions::NewSession;
use crate::throttle::{Account, Busy, Refused};
use crate::tokens::simplejwt::FAMILY_LIFE;

/// What somebody logs in with.
pub(super) const FIELDS: &[Field] = &[
    Field {
        name: "email",
        label: "Email",
        is_trimmed: true,
    },
    Field {
        name: "password",
        label: "Password",
        // White space is part of a password.
        is_trimmed: false,
    },
];

/// A code of the second factor, for those who have one. The system before this one had no such field, so nothing lists it.
const OTP: &str = "otp";

/// Somebody who is in.
pub(super) struct LoggedIn {
    /// What signs the tokens.
    pub(super) key: Arc<SigningKey>,
    pub(super) user: User,
    pub(super) session: Uuid,
    pub(super) ends_at: DateTime<Utc>,
    pub(super) now: DateTime<Utc>,
}

/// What a request to log in comes to.
pub(super) enum Login {
    Done(Box<LoggedIn>),
    /// It asked about the endpoint only.
    Answer(Response),
}

/// Reads a request, checks the password and the second factor, and begins a session.
///
/// A code is judged after a right password only, and is used up in the transaction that begins the session.
/// The person's row is locked until the session stands there, so whoever locks the person out ends this session too or is
/// seen here.
pub(super) async fn log_in(
    auth: &Auth,
    view: &View,
    method: &Method,
    headers: &HeaderMap,
    body: Body,
) -> Result<Login, Refusal> {
    let given = match view.given(method, headers, body).await? {
        Read::Fields(given) => given,
        Read::Answer(answer) => return Ok(Login::Answer(answer)),
    };
    let [email, password] = view.texts(&given)?;
    let otp = given.optional(OTP)?;
    let key = auth.signing_key().ok_or_else(Refusal::unavailable)?;
    let refused = || Refusal::credentials("No active account found with the given credentials");
    let from = address::of(headers);
    let attempt = auth
        .throttle
        .admit(Account::person(&email), from, service::now)
        .await?;
    let user = store::people::user_by_email(&auth.pool, &email).await?;
    // Those who may not log in are checked as nobody is: their hashes do not count for how long a check takes.
    let hash = user.as_ref().filter(|user| user.is_active);
    let hash = hash.map(|user| user.password_hash.clone());
    let slowest = store::people::slowest_iterations(&auth.pool).await?;
    let line = attempt.line();
    let verified = auth
        .passwords
        .verify(line, password.clone(), hash, slowest)
        .await;
    let Ok(verified) = verified else {
        attempt.take_back(service::now()).await?;
        return Err(Refused::from(Busy).into());
    };
    let about = user.as_ref().map(|user| user.id.to_string());
    let Some(mut user) = user.filter(|user| verified.is_right && user.is_active) else {
        attempt.failed(about, service::now());
        return Err(refused());
    };

    let mut tx = auth.pool.begin().await?;
    let mut locked = store::people::lock(&mut tx, user.id).await?;
    if let (Some((now, _)), Some(_)) = (&locked, &verified.rehashed)
        && now.password_hash != user.password_hash
    {
        // Another log-in of this person replaced Django's hash, or the password was changed: it is checked again.
        user = now.clone();
        tx.rollback().await?;
        let hash = Some(user.password_hash.clone());
        let again = auth.passwords.verify(line, password, hash, 0).await;
        if !again.map_err(Refused::from)?.is_right {
            return Err(refused());
        }
        tx = auth.pool.begin().await?;
        locked = store::people::lock(&mut tx, user.id).await?;
    }
    // The password is the one that was checked.
    let is_same = |now: &User| now.is_active && now.password_hash == user.password_hash;
    let (user, now) = locked.filter(|(now, _)| is_same(now)).ok_or_else(refused)?;
    let proof = second_factor::judge(&mut tx, &auth.keys.seal, user.id, otp.as_deref(), now).await;
    match proof.map_err(|error| unreadable(&error))? {
        Proof::NotNeeded | Proof::Good => {}
        // The try counts as wrong until the one with a code is right: a password alone gives no endless tries.
        Proof::Missing => {
            let text = "A one-time code is required.";
            return Err(Refusal::unauthorized(text, "otp_required"));
        }
        Proof::Wrong => {
            attempt.failed(about, service::now());
            let text = "The one-time code is not valid.";
            return Err(Refusal::unauthorized(text, "otp_invalid"));
        }
    }
    attempt.succeeded(service::now()).await?;
    let session = NewSession {
        id: Uuid::now_v7(),
        user_id: user.id,
        ends_at: now + FAMILY_LIFE,
    };
    store::sessions::insert_session(&mut *tx, &session, now).await?;
    store::people::note_login(&mut *tx, user.id, now).await?;
    if let Some(ours) = verified.rehashed.filter(|_| is_of_django(&user)) {
        store::people::rehash(&mut *tx, user.id, &user.password_hash, &ours, now).await?;
    }
    let client_id = ClientId::of_user(user.id);
    let event = Event {
        what: names::USER_LOGGED_IN,
        actor: Some(client_id.as_str()),
        about: about.as_deref(),
        detail: serde_json::json!({"session": session.id, "address": from.to_string()}),
    };
    store::events::record(&mut *tx, &event, now).await?;
    let user = auth.as_it_counts(&mut *tx, user).await?;
    tx.commit().await?;
    Ok(Login::Done(Box::new(LoggedIn {
        key,
        user,
        session: session.id,
        ends_at: session.ends_at,
        now,
    })))
}

fn is_of_django(user: &User) -> bool {
    DjangoHash::read(&user.password_hash).is_some()
}

fn unreadable(error: &anyhow::Error) -> Refusal {
    tracing::error!(
        error = format!("{error:#}"),
        "a second factor can't be judged"
    );
    Refusal::unavailable()
}
