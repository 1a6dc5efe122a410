//! Who calls auth's own API: a person or a program under an access token that still counts.
//!
//! Auth is where people and programs are locked out, so it asks its database each time: a token of somebody who was
//! locked out a moment ago opens nothing here.

use axum::http::{HeaderMap, StatusCode};
use common::http::caller::Caller;
use common::http::problem::Problem;
use common::token::{Claims, Scope, TokenError};
use uuid::Uuid;

use crate::app::Auth;
use crate::store;

impl Auth {
    /// Lets in a caller with a valid token that has one of these scopes, if the person or program is still active and the
    /// login has not ended.
    ///
    /// # Errors
    /// 401, 403, or 503 when the database is away.
    pub(crate) async fn caller<'h>(
        &self,
        headers: &'h HeaderMap,
        scopes: &[Scope],
    ) -> Result<Caller<'h>, Problem> {
        let caller = self.callers.authorize(headers, scopes).await?;
        // A program that acts for somebody pays, and does nothing here.
        if caller.claims().act.is_some() {
            let text = "this token is for payments in somebody's name; log in as yourself";
            return Err(Problem::new(StatusCode::FORBIDDEN, text));
        }
        if self.still_counts(caller.claims()).await? {
            Ok(caller)
        } else {
            Err(Problem::unauthorized(TokenError::Revoked))
        }
    }

    /// Whether a token still counts: the person or program is active, and the login, the secret or the key has not ended.
    ///
    /// # Errors
    /// When the database is away.
    pub(crate) async fn still_counts(&self, claims: &Claims) -> sqlx::Result<bool> {
        if store::revocations::has_token(&self.pool, &claims.jti).await? {
            return Ok(false);
        }
        let client_id = claims.client_id.as_str();
        let login = claims.sid.as_deref().map(str::parse::<Uuid>);
        if let (Some(actor), Some(Ok(mandate))) = (&claims.act, &login) {
            return store::mandates::counts(&self.pool, *mandate, &actor.sub).await;
        }
        match login {
            Some(Err(_)) => Ok(false),
            Some(Ok(login)) if client_id.starts_with("user-") => {
                store::sessions::is_alive(&self.pool, login).await
            }
            Some(Ok(credential)) => {
                store::clients::still_counts(&self.pool, client_id, Some(credential), claims.iat)
                    .await
            }
            None => store::clients::still_counts(&self.pool, client_id, None, claims.iat).await,
        }
    }
}
