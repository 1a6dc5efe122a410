//! What the endpoints work with.

use sqlx::PgPool;
use tokio::sync::watch;

use crate::keys::SigningKey;
use crate::passwords::Passwords;

/// The state of the running service.
pub(crate) struct Auth {
    pub(crate) pool: PgPool,
    pub(crate) key: SigningKey,
    pub(crate) passwords: Passwords,
    /// Whether the key is in the log: before that no token is issued.
    pub(crate) ready: watch::Receiver<bool>,
}
