//! What the handlers work with.

use std::sync::{Arc, PoisonError, RwLock};

use common::broker::{Answers, Publisher};
use common::http::ask::Asking;
use common::http::caller::{Callers, KeySource};
use common::http::problem::Problem;
use common::token::Keys;
use sqlx::postgres::PgPool;

use crate::store;

/// What every request may use.
pub(crate) struct App {
    pub(super) pool: PgPool,
    pub(super) asking: Asking,
    pub(super) callers: Callers<DecidedKeys>,
}

impl App {
    pub(crate) fn new(publisher: Publisher, pool: PgPool, answers: Answers) -> Arc<Self> {
        let keys = DecidedKeys {
            pool: pool.clone(),
            known: RwLock::default(),
        };
        Arc::new(Self {
            pool,
            asking: Asking::new(publisher, answers),
            callers: Callers::new(keys),
        })
    }
}

/// The keys that the ledger has noted, read from its database when one is missing.
pub(super) struct DecidedKeys {
    pool: PgPool,
    known: RwLock<Keys>,
}

impl KeySource for DecidedKeys {
    fn judge<R>(&self, judge: impl FnOnce(&Keys) -> R) -> R {
        judge(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    async fn refresh(&self) -> Result<(), Problem> {
        let keys = store::keys(&self.pool).await?;
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }
}
