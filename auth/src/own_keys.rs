//! What auth judges its own callers by: the keys of its own database.

use std::sync::{PoisonError, RwLock};

use common::http::caller::KeySource;
use common::http::problem::Problem;
use common::token::{Keys, Revocations};
use sqlx::PgPool;

use crate::store;

/// The keys of auth's own database.
pub(crate) struct OwnKeys {
    pool: PgPool,
    issuer: String,
    known: RwLock<Keys>,
}

impl OwnKeys {
    pub(crate) fn new(pool: PgPool, issuer: String) -> Self {
        Self {
            pool,
            issuer,
            known: RwLock::default(),
        }
    }
}

impl KeySource for OwnKeys {
    fn judge<R>(&self, judge: impl FnOnce(&Keys, &Revocations) -> R) -> R {
        // Revocations are read from the database for each call.
        let keys = self.known.read().unwrap_or_else(PoisonError::into_inner);
        judge(&keys, &Revocations::default())
    }

    async fn refresh(&self) -> Result<(), Problem> {
        let mut keys = Keys::default();
        for key in store::keys::public_keys(&self.pool).await? {
            keys.insert(&key.kid, &self.issuer, &key.n, &key.e)
                .expect("a key of ours was made well");
        }
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }
}
