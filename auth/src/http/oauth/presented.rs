//! A token that somebody presents to have it judged or revoked.

use std::sync::Arc;

use common::token::{Policy, TokenError, Verified};

use super::words::Error;
use crate::app::Auth;

/// An access token of ours, of either audience, that was signed well and has not expired; `None` for anything else.
///
/// # Errors
/// When the database is away.
pub(super) async fn access_token(auth: &Auth, token: &str) -> Result<Option<Arc<Verified>>, Error> {
    let judge = || {
        let verified = auth.callers.verify(token, Policy::HTTP);
        match verified {
            Err(TokenError::Audience(_)) => auth.callers.verify(token, Policy::LOG),
            other => other,
        }
    };
    let mut verified = judge();
    if verified == Err(TokenError::KeyUnknown) {
        auth.callers
            .refresh()
            .await
            .map_err(|_| Error::Unavailable)?;
        verified = judge();
    }
    Ok(verified.ok())
}
