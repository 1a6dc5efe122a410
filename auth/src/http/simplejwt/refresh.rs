//! `POST /api/token/refresh/`: a refresh token is exchanged for its successor.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use common::service;
use common::token::{Audience, new_jti};
use serde::Serialize;

use super::words::{self, Body, Field, Refusal, View};
use crate::app::Auth;
use crate::store;
use crate::tokens::{self, Refresh, RefreshError, Subject, Terms};

const REFRESH: View = View {
    name: "Token Refresh",
    description: "Takes a refresh type JSON web token and returns an access type JSON web\ntoken if the refresh token is valid.",
    fields: &[Field {
        name: "refresh",
        label: "Refresh",
    }],
};

/// `POST /api/token/refresh/`: the good token of a family in, its successor out. A used one ends the family.
pub(super) async fn refresh(
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
        words::Read::Fields(fields) => fields,
        words::Read::Answer(answer) => return Ok(answer),
    };
    auth.refuse_until_ready()?;
    let now = service::now();
    let claims = tokens::read_refresh(&token, &auth.keys, now)?;

    let successor = new_jti();
    let mut tx = auth.pool.begin().await?;
    let advanced =
        store::sessions::advance_family(&mut *tx, claims.family, &claims.jti, &successor, now)
            .await?;
    let Some(advanced) = advanced else {
        if let Some(user_id) =
            store::sessions::revoke_reused_family(&mut *tx, claims.family, now).await?
        {
            tracing::warn!(%user_id, family = %claims.family, jti = claims.jti, "a used refresh token came again, its family is over");
        }
        tx.commit().await?;
        return Err(RefreshError::Blacklisted.into());
    };
    // Read again each time: rights that were taken away are gone from here on.
    let user = store::people::user_by_id(&mut *tx, advanced.user_id).await?;
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
    let key = auth.keys.signing();
    Ok(words::ok(&Pair {
        access: tokens::access(
            &key,
            Subject::user(user.id, claims.family, user.scopes),
            Terms::longest(Audience::Http, now),
        ),
        refresh: tokens::refresh(&key, &refresh, now),
    }))
}
