//! What every request may use.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use common::broker::Answers;
use common::http::caller::{Caller, Callers, KeySource};
use common::http::exchange::LogTokens;
use common::http::problem::Problem;
use common::token::{Audience, Keys, Revocations};
use sqlx::PgPool;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::door::Door;
use crate::idempotency::Recent;
use crate::projection::{Log, Projection};

/// How long a request waits for the projection before it is answered with 503.
const PROJECTION_WAIT_MAX: Duration = Duration::from_secs(2);

pub(crate) struct App {
    pub(crate) pool: PgPool,
    pub(crate) door: Door,
    pub(crate) recent: Recent,
    pub(crate) jetstream: jetstream::Context,
    pub(crate) projection: Arc<Projection>,
    /// Empty until the streams exist.
    pub(crate) answers: Arc<OnceCell<Answers>>,
    pub(crate) log_tokens: LogTokens,
    pub(crate) callers: Callers<ProjectedKeys>,
    pub(crate) stop: CancellationToken,
}

impl App {
    /// The token under which a caller's requests go into the log. Its own passes over HTTP only, and the log is read by
    /// many. Rules before those of tokens for the log know no others.
    pub(crate) async fn log_token(&self, caller: &Caller<'_>) -> Result<Arc<str>, Problem> {
        let policy = self.projection.trust().policy_of_the_log();
        match policy.audience {
            Audience::Http => Ok(caller.token.into()),
            Audience::Log => {
                let token = self.log_tokens.of(caller).await?;
                let is_good = !self.has_revoked_key(&token.kid);
                if is_good {
                    return Ok(token.text);
                }
                self.log_tokens.forget(caller);
                Ok(self.log_tokens.of(caller).await?.text)
            }
        }
    }

    fn has_revoked_key(&self, kid: &str) -> bool {
        self.projection.trust().revocations.has_revoked_key(kid)
    }

    /// Waits until the projection has passed what the log holds now. 503 when it does not get there in time.
    pub(crate) async fn catch_up(&self, log: Log) -> Result<(), Problem> {
        catch_up(&self.projection, log).await
    }
}

/// The keys and the revocations that the projection has read.
pub(crate) struct ProjectedKeys(pub(crate) Arc<Projection>);

impl KeySource for ProjectedKeys {
    fn judge<R>(&self, judge: impl FnOnce(&Keys, &Revocations) -> R) -> R {
        let trust = self.0.trust();
        judge(&trust.keys, &trust.revocations)
    }

    async fn refresh(&self) -> Result<(), Problem> {
        catch_up(&self.0, Log::Settlements).await
    }
}

async fn catch_up(projection: &Projection, log: Log) -> Result<(), Problem> {
    match projection.catch_up(log, PROJECTION_WAIT_MAX).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Problem::unavailable(
            "the projection",
            &"it is behind the log",
        )),
        Err(error) => Err(Problem::unavailable("the broker", &error)),
    }
}
