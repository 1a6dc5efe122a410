//! A token that somebody presents to have it judged or revoked.

use std::sync::Arc;

use common::token::{Policy, Verified};

use super::words::Error;
use crate::app::Auth;

/// An access token of ours, of either audience, that was signed well and has not expired; `None` for anything else.
///
/// # Errors
/// When the database is away.
pub(super) async fn access_token(auth: &Auth, token: &str) -> Result<Option<Arc<Verified>>, Error> {
    let policies = [Policy::HTTP, Policy::LOG];
    let verified = auth.callers.verify_with_new_keys(token, &policies).await;
    Ok(verified.map_err(|_| Error::Unavailable)?.ok())
}
