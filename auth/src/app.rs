//! What the endpoints work with.

use common::http::caller::Callers;
use sqlx::PgPool;
use tokio::sync::watch;

use crate::http::caller::OwnKeys;
use crate::keys::Ring;
use crate::passwords::Passwords;

/// The state of the running service.
pub(crate) struct Auth {
    pub(crate) pool: PgPool,
    pub(crate) keys: Ring,
    pub(crate) passwords: Passwords,
    /// Who calls auth's own API.
    pub(crate) callers: Callers<OwnKeys>,
    /// Whether the key is in the log: before that no token is issued.
    pub(crate) ready: watch::Receiver<bool>,
}
