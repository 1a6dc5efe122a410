//! The endpoints: SimpleJWT's (`/api/token/…`), OAuth2's (`/oauth2/token`) and the public keys.
//!
//! A request comes in as bytes of at most 16 KiB; [`drf`] and [`oauth`] read it and word what is wrong with it, each in
//! its own world's way. What happens in between is here, on the page: look somebody up, check, write, sign.
//!
//! Left out of SimpleJWT's surface: multipart bodies, the session cookie, and HTML.

mod drf;
mod oauth;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::from_fn;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use common::http::body::hurry_body;
use common::http::problem::Problem;
use common::service;
use common::token::new_jti;
use drf::{Body, Field, Refusal, View};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use crate::tokens::{self, Refresh, RefreshError, Subject};
use crate::{Auth, store};

/// Largest body, in bytes: a refresh token has under 1 KiB and a password may be long.
const BODY_BYTES_MAX: usize = 16 * 1024;
/// The old system had one path for each and redirected the one without a slash; both serve here.
const OBTAIN_PATHS: [&str; 2] = ["/api/token/", "/api/token"];
const REFRESH_PATHS: [&str; 2] = ["/api/token/refresh/", "/api/token/refresh"];

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
const REFRESH: View = View {
    name: "Token Refresh",
    description: "Takes a refresh type JSON web token and returns an access type JSON web\ntoken if the refresh token is valid.",
    fields: &[Field {
        name: "refresh",
        label: "Refresh",
    }],
};

pub(crate) fn routes(auth: Arc<Auth>) -> Router {
    let mut router = Router::new();
    for path in OBTAIN_PATHS {
        // `any`: SimpleJWT words a wrong method itself.
        router = router.route(path, any(obtain));
    }
    for path in REFRESH_PATHS {
        router = router.route(path, any(refresh));
    }
    router
        .route("/oauth2/token", post(oauth::token))
        .route("/.well-known/jwks.json", get(jwks))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn(hurry_body))
        .with_state(auth)
}

/// `POST /api/token/`: a password in, the first pair of a new family out.
async fn obtain(
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
        drf::Read::Fields(fields) => fields,
        drf::Read::Answer(answer) => return Ok(answer),
    };
    auth.refuse_until_ready()?;
    let user = store::user_by_email(&auth.pool, &email).await?;
    let hash = user.as_ref().map(|user| user.password_hash.clone());
    let is_right = auth.passwords.verify(password, hash).await?;
    let Some(user) = user.filter(|user| is_right && user.is_active) else {
        return Err(Refusal::credentials(
            "No active account found with the given credentials",
        ));
    };

    let (now, jti, family) = (service::now(), new_jti(), Uuid::now_v7());
    let ends_at = now + tokens::FAMILY_LIFE;
    let new = store::NewFamily {
        id: family,
        user_id: user.id,
        jti: &jti,
        ends_at,
    };
    let mut tx = auth.pool.begin().await?;
    store::insert_family(&mut *tx, &new, now).await?;
    store::note_login(&mut *tx, user.id, now).await?;
    tx.commit().await?;

    let refresh = Refresh {
        jti: &jti,
        user_id: user.id,
        family,
        family_ends_at: ends_at,
    };
    Ok(drf::ok(&Pair {
        refresh: tokens::refresh(&auth.key, &refresh, now),
        access: tokens::access(&auth.key, Subject::user(user.id, user.scopes), now),
    }))
}

/// `POST /api/token/refresh/`: the good token of a family in, its successor out. A used one ends the family.
async fn refresh(
    State(auth): State<Arc<Auth>>,
    method: Method,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    #[derive(Serialize)]
    struct Pair {
        access: String,
        refresh: String,
    }
    let [token] = match REFRESH.read(&method, &headers, body).await? {
        drf::Read::Fields(fields) => fields,
        drf::Read::Answer(answer) => return Ok(answer),
    };
    auth.refuse_until_ready()?;
    let now = service::now();
    let claims = tokens::read_refresh(&token, &auth.key, now)?;

    let successor = new_jti();
    let mut tx = auth.pool.begin().await?;
    let advanced =
        store::advance_family(&mut *tx, claims.family, &claims.jti, &successor, now).await?;
    let Some(advanced) = advanced else {
        if let Some(user_id) = store::revoke_reused_family(&mut *tx, claims.family, now).await? {
            tracing::warn!(%user_id, family = %claims.family, jti = claims.jti, "a used refresh token came again, its family is over");
        }
        tx.commit().await?;
        return Err(RefreshError::Blacklisted.into());
    };
    // Read again each time: rights that were taken away are gone from here on.
    let user = store::user_by_id(&mut *tx, advanced.user_id).await?;
    let Some(user) = user.filter(|user| user.is_active) else {
        tx.rollback().await?;
        return Err(Refusal::credentials(
            "No active account found for the given token.",
        ));
    };
    tx.commit().await?;

    let refresh = Refresh {
        jti: &successor,
        user_id: user.id,
        family: claims.family,
        family_ends_at: advanced.ends_at,
    };
    Ok(drf::ok(&Pair {
        access: tokens::access(&auth.key, Subject::user(user.id, user.scopes), now),
        refresh: tokens::refresh(&auth.key, &refresh, now),
    }))
}

/// The public keys. Source: RFC 7517.
#[derive(Debug, Serialize, JsonSchema)]
struct KeySet {
    keys: Vec<PublicKey>,
}

/// An RSA public key that tokens are signed with.
#[derive(Debug, Serialize, JsonSchema)]
struct PublicKey {
    kty: &'static str,
    #[serde(rename = "use")]
    used_for: &'static str,
    alg: &'static str,
    /// RFC 7638 thumbprint.
    kid: String,
    /// Modulus, base64url.
    n: String,
    /// Exponent, base64url.
    e: String,
}

/// `GET /.well-known/jwks.json`.
async fn jwks(State(auth): State<Arc<Auth>>) -> Result<Response, Problem> {
    let keys = store::public_keys(&auth.pool).await?;
    let keys = keys.into_iter().map(|key| PublicKey {
        kty: "RSA",
        used_for: "sig",
        alg: "RS256",
        kid: key.kid,
        n: key.n,
        e: key.e,
    });
    let set = KeySet {
        keys: keys.collect(),
    };
    let cache = [(header::CACHE_CONTROL, "public, max-age=600")];
    Ok((cache, Json(set)).into_response())
}

impl Auth {
    fn refuse_until_ready(&self) -> Result<(), Refusal> {
        if *self.ready.borrow() {
            return Ok(());
        }
        Err(Refusal::unavailable())
    }
}
