//! What auth judges its own callers by: the keys of its own database.

use std::sync::{PoisonError, RwLock};

use common::http::caller::KeySource;
use common::http::problem::Problem;
use common::service;
use common::token::{Keys, Revocations, Target};
use sqlx::PgPool;

use crate::keys::lifecycle::State;
use crate::store;

/// The keys of auth's own database.
pub(crate) struct OwnKeys {
    pool: PgPool,
    issuer: String,
    known: RwLock<(Keys, Revocations)>,
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
        // Revoked keys stand here; the other revocations are read from the database for each call.
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        judge(&known.0, &known.1)
    }

    async fn refresh(&self) -> Result<(), Problem> {
        let (mut keys, mut revocations) = (Keys::default(), Revocations::default());
        for key in store::keys::all(&self.pool).await? {
            if key.is_imported {
                continue;
            }
            keys.insert(&key.kid, &self.issuer, &key.n, &key.e)
                .expect("a key of ours was made well");
            if key.state == State::Revoked.as_str() {
                revocations.insert(&Target::Key { kid: key.kid }, service::now());
            }
        }
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = (keys, revocations);
        Ok(())
    }
}
