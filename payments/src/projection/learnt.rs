//! What the projection of this process has learnt, and waiting for more.

use std::time::Duration;

use async_nats::jetstream::{self, context::GetStreamError};
use common::broker;
use common::wire::{REQUESTS, SETTLEMENTS};
use sqlx::PgPool;
use tokio::sync::watch;

use super::activity::Activity;
use super::cursors::{Cursors, Log};
use super::measures::Measures;
use super::retry::RETRY_DELAY;
use super::trust::{Trust, trust};
use crate::store;

/// The projection of this process: its loops, and what it has learnt.
pub(crate) struct Projection {
    pub(super) pool: PgPool,
    /// The logs hold what strangers sent, so each is read on a connection of its own.
    pub(super) broker: broker::Config,
    pub(super) jetstream: jetstream::Context,
    pub(super) cursors: watch::Sender<Cursors>,
    /// The last message that somebody waits for, in either log: a request and its answer have the same number.
    pub(super) wanted: watch::Sender<u64>,
    pub(super) trust: watch::Sender<Trust>,
    /// For people who watch.
    pub(crate) activity: Activity,
    pub(super) measures: Measures,
}

impl Projection {
    /// Picks up where the database says.
    pub(crate) async fn open(
        pool: PgPool,
        broker: broker::Config,
        jetstream: jetstream::Context,
    ) -> sqlx::Result<Self> {
        let mut db = pool.acquire().await?;
        let settlements = store::cursor(&mut db, SETTLEMENTS).await?;
        let cursors = Cursors {
            requests: store::cursor(&mut db, REQUESTS).await?,
            settlements,
            named_after: settlements,
        };
        let trust = trust(&mut db).await?;
        drop(db);
        Ok(Self {
            pool,
            broker,
            jetstream,
            cursors: watch::Sender::new(cursors),
            wanted: watch::Sender::new(0),
            trust: watch::Sender::new(trust),
            activity: Activity::default(),
            measures: Measures::default(),
        })
    }

    /// What tokens are verified with.
    pub(crate) fn trust(&self) -> watch::Ref<'_, Trust> {
        self.trust.borrow()
    }

    /// How far this log is projected.
    pub(crate) fn at(&self, log: Log) -> u64 {
        self.cursors.borrow().of(log)
    }

    /// Waits until what stands in the log now is projected; `false` when that takes longer than `timeout`.
    pub(crate) async fn catch_up(
        &self,
        log: Log,
        timeout: Duration,
    ) -> Result<bool, GetStreamError> {
        let end = broker::last_sequence(&self.jetstream, log.stream()).await?;
        Ok(self.passed(log, end, timeout).await)
    }

    /// Waits until this sequence is projected; `false` when that takes longer than `timeout`.
    pub(crate) async fn passed(&self, log: Log, sequence: u64, timeout: Duration) -> bool {
        self.wanted.send_if_modified(|wanted| {
            let known = std::mem::replace(wanted, sequence.max(*wanted));
            sequence > known
        });
        matches!(
            tokio::time::timeout(timeout, self.reached(log, sequence)).await,
            Ok(())
        )
    }

    /// Waits until this sequence is projected.
    pub(super) async fn reached(&self, log: Log, sequence: u64) {
        let mut cursors = self.cursors.subscribe();
        let reached = cursors.wait_for(|cursors| cursors.of(log) >= sequence);
        reached.await.expect("the sender is in self");
    }

    /// Waits, however long it takes, until what stands in both logs now is projected.
    pub(crate) async fn catch_up_at_start(&self) {
        for log in [Log::Requests, Log::Settlements] {
            while !self
                .catch_up(log, Duration::from_secs(60))
                .await
                .unwrap_or_default()
            {
                tokio::time::sleep(RETRY_DELAY).await;
            }
        }
    }
}
