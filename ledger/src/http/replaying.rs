//! The replays that operators start, in memory, one at a time.
//!
//! Such a replay trusts this program's own rights; `quittance audit replay` does the same with an auditor's, who can change
//! nothing.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_nats::jetstream;
use chrono::{DateTime, Utc};
use common::broker;
use common::service::now;
use metrics::gauge;
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::audit::{self, ReplayError, Summary, Verdict};

/// Replays that are remembered.
const KEPT_MAX: usize = 20;

/// One replay.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct Replay {
    pub(super) id: Uuid,
    pub(super) state: ReplayState,
    /// Requests decided again so far.
    pub(super) done: u64,
    /// Requests in the log when it began; 0 until that is known.
    requests: u64,
    /// The client that started it.
    pub(super) started_by: String,
    started_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    /// The first difference, or why it could not go on.
    pub(super) detail: Option<String>,
    /// What agreed.
    #[schemars(with = "Option<serde_json::Value>")]
    summary: Option<Summary>,
}

/// How a replay stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ReplayState {
    Running,
    /// The log, decided again, leads to the same books.
    Agrees,
    /// It does not.
    Differs,
    /// The broker or the database did not let it end.
    Failed,
}

/// The replays of this process, and what they read.
pub(crate) struct Replaying {
    broker: broker::Config,
    jetstream: jetstream::Context,
    database: PgConnectOptions,
    stop: CancellationToken,
    kept: Mutex<VecDeque<Replay>>,
}

impl Replaying {
    pub(crate) fn new(
        broker: broker::Config,
        jetstream: jetstream::Context,
        database: PgConnectOptions,
        stop: CancellationToken,
    ) -> Self {
        Self {
            broker,
            jetstream,
            database,
            stop,
            kept: Mutex::default(),
        }
    }

    /// Begins one; `None` while another runs.
    pub(super) fn begin(&self, started_by: String) -> Option<Replay> {
        let mut kept = self.lock();
        if kept
            .front()
            .is_some_and(|last| last.state == ReplayState::Running)
        {
            return None;
        }
        let replay = Replay {
            id: Uuid::now_v7(),
            state: ReplayState::Running,
            done: 0,
            requests: 0,
            started_by,
            started_at: now(),
            ended_at: None,
            detail: None,
            summary: None,
        };
        kept.push_front(replay.clone());
        kept.truncate(KEPT_MAX);
        Some(replay)
    }

    /// Takes back the one that was begun last.
    pub(super) fn take_back(&self) {
        self.lock().pop_front();
    }

    /// Runs the one that was begun last. Returns how it ended.
    pub(super) async fn run(&self) -> Option<Replay> {
        let replayed = self.stop.run_until_cancelled(self.replay()).await;
        self.change(|replay| {
            replay.ended_at = Some(now());
            (replay.state, replay.detail, replay.summary) = match replayed {
                Some(Ok(Verdict::Agrees(summary))) => (ReplayState::Agrees, None, Some(summary)),
                Some(Ok(Verdict::Differs(difference))) => {
                    tracing::error!(%difference, "the books are not what the log leads to");
                    (ReplayState::Differs, Some(difference), None)
                }
                Some(Err(error)) => (ReplayState::Failed, Some(error.to_string()), None),
                None => (
                    ReplayState::Failed,
                    Some("the ledger stops".to_owned()),
                    None,
                ),
            };
            let verdict = match replay.state {
                ReplayState::Agrees => 1.0,
                ReplayState::Differs => 0.0,
                ReplayState::Running | ReplayState::Failed => return,
            };
            gauge!("quittance_replay_agrees").set(verdict);
        });
        self.lock().front().cloned()
    }

    async fn replay(&self) -> Result<Verdict, ReplayError> {
        let mut database = self.database.connect().await?;
        let sources = audit::Sources::of_the_ledger(&self.broker, self.jetstream.clone());
        let progress = |done, requests| {
            self.change(|replay| (replay.done, replay.requests) = (done, requests));
        };
        audit::replay_from(sources, &mut database, progress).await
    }

    /// Those that are remembered, the newest first.
    pub(super) fn all(&self) -> Vec<Replay> {
        self.lock().iter().cloned().collect()
    }

    fn change(&self, change: impl FnOnce(&mut Replay)) {
        if let Some(replay) = self.lock().front_mut() {
            change(replay);
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Replay>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
