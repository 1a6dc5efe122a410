//! What the handlers work with.

use std::sync::{Arc, PoisonError, RwLock};

use async_nats::jetstream;
use axum::http::HeaderMap;
use common::broker;
use common::http::ask::Asking;
use common::http::caller::{Caller, Callers, KeySource};
use common::http::exchange::LogTokens;
use common::http::owners::Owners;
use common::http::problem::Problem;
use common::token::{Audience, Keys, Revocations, Scope, TokenError};
use sqlx::postgres::PgPool;

use super::replaying::Replaying;
use super::trial_balance::TrialBalances;
use crate::engine::Steps;
use crate::files::Files;
use crate::receipts::tree::Tree;
use crate::store;

/// What every request may use.
pub(crate) struct App {
    pub(super) pool: PgPool,
    pub(super) asking: Asking,
    log_tokens: LogTokens,
    pub(super) owners: Owners,
    /// For what is read from the streams.
    pub(super) jetstream: jetstream::Context,
    /// When the last batches went through each step.
    pub(super) steps: Arc<Steps>,
    /// Replays that operators start.
    pub(super) replaying: Arc<Replaying>,
    pub(super) trial_balances: TrialBalances,
    /// For receipts.
    pub(super) tree: Arc<Tree>,
    pub(super) making: Making,
    callers: Callers<DecidedKeys>,
}

/// What files are made with.
pub(crate) struct Making {
    pub(crate) files: Arc<Files>,
    /// For what is read from the streams in order.
    pub(crate) broker: broker::Config,
}

/// What goes on beside deciding.
pub(crate) struct Beside {
    /// Replays that operators start.
    pub(crate) replaying: Replaying,
    /// For receipts.
    pub(crate) tree: Arc<Tree>,
    /// For files.
    pub(crate) making: Making,
}

impl App {
    pub(crate) fn new(
        asking: Asking,
        pool: PgPool,
        log_tokens: LogTokens,
        owners: Owners,
        jetstream: jetstream::Context,
        steps: Arc<Steps>,
        beside: Beside,
    ) -> Arc<Self> {
        let keys = DecidedKeys {
            pool: pool.clone(),
            known: RwLock::default(),
        };
        Arc::new(Self {
            pool,
            asking,
            log_tokens,
            owners,
            jetstream,
            steps,
            replaying: Arc::new(beside.replaying),
            trial_balances: TrialBalances::default(),
            tree: beside.tree,
            making: beside.making,
            callers: Callers::new(keys),
        })
    }
}

impl App {
    /// The token under which a caller's requests go into the log. Its own passes over HTTP only, and the log is read by
    /// many. Rules before those of tokens for the log know no others.
    ///
    /// # Errors
    /// 401 when auth says that the caller's token counts no more, 503 when auth or the database is away.
    pub(super) async fn log_token(&self, caller: &Caller<'_>) -> Result<Arc<str>, Problem> {
        match store::rules(&self.pool).await? {
            Ok(rules) if rules.token_policy().audience == Audience::Http => Ok(caller.token.into()),
            Ok(_) | Err(_) => {
                let token = self.log_tokens.of(caller).await?;
                // The caller was let in a moment ago, so it can only be the key that signed this one.
                if !store::is_revoked(&self.pool, &token.kid, caller.claims()).await? {
                    return Ok(token.text);
                }
                self.log_tokens.forget(caller);
                Ok(self.log_tokens.of(caller).await?.text)
            }
        }
    }

    /// Lets in a caller with a valid token that has one of these scopes and was not revoked.
    ///
    /// # Errors
    /// 401, 403, or 503 when the database is away.
    pub(super) async fn caller<'h>(
        &self,
        headers: &'h HeaderMap,
        scopes: &[Scope],
    ) -> Result<Caller<'h>, Problem> {
        let caller = self.callers.authorize(headers, scopes).await?;
        if store::is_revoked(&self.pool, caller.kid(), caller.claims()).await? {
            return Err(Problem::unauthorized(TokenError::Revoked));
        }
        Ok(caller)
    }
}

/// The keys that the ledger has noted, read from its database when one is missing.
pub(super) struct DecidedKeys {
    pool: PgPool,
    known: RwLock<Keys>,
}

impl KeySource for DecidedKeys {
    fn judge<R>(&self, judge: impl FnOnce(&Keys, &Revocations) -> R) -> R {
        // Revocations are read from the database for each call.
        let keys = self.known.read().unwrap_or_else(PoisonError::into_inner);
        judge(&keys, &Revocations::default())
    }

    async fn refresh(&self) -> Result<(), Problem> {
        let keys = store::keys(&self.pool).await?;
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }
}
