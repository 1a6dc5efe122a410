//! What the endpoints work with.

use std::time::Duration;

use common::http::caller::Callers;
use sqlx::PgPool;
use tokio::sync::watch;
use uuid::Uuid;

use crate::ExchangeSecrets;
use crate::keys::{KeyEncryptionKey, Ring};
use crate::own_keys::OwnKeys;
use crate::passwords::Passwords;
use crate::store;
use crate::throttle::{Network, Throttle};

/// The state of the running service.
pub(crate) struct Auth {
    pub(crate) pool: PgPool,
    pub(crate) keys: Ring,
    /// What secrets are sealed with in the database.
    pub(crate) seal: KeyEncryptionKey,
    pub(crate) passwords: Passwords,
    /// What payments and the ledger prove themselves with.
    pub(crate) exchange_secrets: ExchangeSecrets,
    pub(crate) throttle: Throttle,
    /// Whether customers make themselves.
    pub(crate) is_registration_open: bool,
    /// Who may say in `X-Forwarded-For` which client a request comes from.
    pub(crate) trusted_proxies: Vec<Network>,
    /// Who calls auth's own API.
    pub(crate) callers: Callers<OwnKeys>,
    /// Changes whenever the ledger may have noted revocations.
    pub(crate) revoked: watch::Sender<()>,
    /// Whether the key is in the log: before that no token is issued.
    pub(crate) ready: watch::Receiver<bool>,
}

/// How long whoever ended something waits for the ledger. It will note the revocation all the same.
const REVOKED_WAIT_MAX: Duration = Duration::from_secs(2);

impl Auth {
    /// Waits until the ledger has noted these revocations, for a little while: then the caller can rely on what follows.
    ///
    /// # Errors
    /// When the database is away.
    pub(crate) async fn until_revoked(&self, ids: &[Uuid]) -> sqlx::Result<()> {
        let mut revoked = self.revoked.subscribe();
        let all_noted = async {
            let count = i64::try_from(ids.len()).expect("a few");
            while store::revocations::noted(&self.pool, ids).await? < count {
                revoked.changed().await.expect("the sender is in self");
            }
            Ok(())
        };
        match tokio::time::timeout(REVOKED_WAIT_MAX, all_noted).await {
            Ok(noted) => noted,
            Err(_) => {
                tracing::warn!("the ledger has not noted a revocation yet");
                Ok(())
            }
        }
    }
}
