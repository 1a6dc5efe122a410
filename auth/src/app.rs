//! What the endpoints work with.

use std::sync::Arc;
use std::time::Duration;

use common::http::caller::Callers;
use sqlx::{PgExecutor, PgPool};
use tokio::sync::watch;
use uuid::Uuid;

use crate::keys::SigningKey;
use crate::keys::keeper::Keeper;
use crate::logs::LogReader;
use crate::own_keys::OwnKeys;
use crate::passwords::Passwords;
use crate::people::Role;
use crate::store;
use crate::store::people::User;
use crate::throttle::{Network, Throttle};
use crate::{ExchangeSecrets, StaffSecondFactor};

/// The state of the running service.
pub(crate) struct Auth {
    pub(crate) pool: PgPool,
    pub(crate) keys: Keeper,
    pub(crate) passwords: Passwords,
    /// What payments and the ledger prove themselves with.
    pub(crate) exchange_secrets: ExchangeSecrets,
    pub(crate) throttle: Throttle,
    /// Whether customers make themselves.
    pub(crate) is_registration_open: bool,
    pub(crate) staff_second_factor: StaffSecondFactor,
    /// Who may say in `X-Forwarded-For` which client a request comes from.
    pub(crate) trusted_proxies: Vec<Network>,
    /// What services logged.
    pub(crate) logs: LogReader,
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
    /// The key that signs tokens now; `None` before it is announced, and while a revoked one waits for its successor.
    pub(crate) fn signing_key(&self) -> Option<Arc<SigningKey>> {
        let is_ready = *self.ready.borrow();
        self.keys.ring.signing().filter(|_| is_ready)
    }

    /// Whether this person must have a second factor.
    pub(crate) fn needs_second_factor(&self, user: &User) -> bool {
        self.staff_second_factor == StaffSecondFactor::Required
            && user.role != Role::Customer.as_str()
    }

    /// The person with the scopes that count now: staff that lacks a second factor it must have has those of customers. So
    /// it can log in, and turn one on.
    ///
    /// # Errors
    /// When the database is away.
    pub(crate) async fn as_it_counts(
        &self,
        db: impl PgExecutor<'_>,
        user: User,
    ) -> sqlx::Result<User> {
        if !self.needs_second_factor(&user) || store::second_factors::is_on(db, user.id).await? {
            return Ok(user);
        }
        let is_customers = |scope: &&str| Role::Customer.scopes().split(' ').any(|of| of == *scope);
        let scopes: Vec<_> = user.scopes.split(' ').filter(is_customers).collect();
        let scopes = scopes.join(" ");
        Ok(User { scopes, ..user })
    }

    /// Waits until the ledger has noted these revocations, for a little while: then the caller can rely on what follows.
    ///
    /// # Errors
    /// When the database is away.
    pub(crate) async fn until_revoked(&self, ids: &[Uuid]) -> sqlx::Result<()> {
        self.until_noted(Awaited::Revocations(ids)).await
    }

    /// Waits until the ledger has noted that this key is revoked, for a little while.
    ///
    /// # Errors
    /// When the database is away.
    pub(crate) async fn until_key_revoked(&self, kid: &str) -> sqlx::Result<()> {
        self.until_noted(Awaited::Key(kid)).await
    }

    async fn until_noted(&self, awaited: Awaited<'_>) -> sqlx::Result<()> {
        let mut revoked = self.revoked.subscribe();
        let noted = async {
            while !awaited.is_noted(&self.pool).await? {
                revoked.changed().await.expect("the sender is in self");
            }
            Ok(())
        };
        match tokio::time::timeout(REVOKED_WAIT_MAX, noted).await {
            Ok(noted) => noted,
            Err(_) => {
                tracing::warn!("the ledger has not noted a revocation yet");
                Ok(())
            }
        }
    }
}

/// What the ledger is to note.
enum Awaited<'a> {
    Revocations(&'a [Uuid]),
    /// The revocation of this key.
    Key(&'a str),
}

impl Awaited<'_> {
    async fn is_noted(&self, pool: &PgPool) -> sqlx::Result<bool> {
        match self {
            Self::Revocations(ids) => {
                let count = i64::try_from(ids.len()).expect("a few");
                Ok(store::revocations::noted(pool, ids).await? >= count)
            }
            Self::Key(kid) => store::revocations::has_noted_key(pool, kid).await,
        }
    }
}
