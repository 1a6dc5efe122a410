//! The loop that listens: reads REQUESTS and SETTLEMENTS into PostgreSQL, batch by batch.
//!
//! Each log has a cursor in the database. A batch is one transaction: the cursor moves from the place before the batch
//! to its end, and the rows change. So a death at any instruction loses nothing and repeats nothing; and when two
//! instances run, the one whose cursor has been moved by the other rolls back and reads on from there.
//!
//! The two logs are not in step; [`crate::rows`] says why that does not matter. What can't be read is passed over, for
//! the ledger has rejected it; a gap in a log stops everything.

use std::time::Duration;

use async_nats::jetstream::{self, context::GetStreamError};
use common::broker::{self, ReadError, Reader, Stored};
use common::token::Keys;
use common::wire::{REQUESTS, SETTLEMENTS};
use sqlx::PgPool;
use tokio::sync::watch;

use crate::rows::{Changes, answered, requested};
use crate::store;

/// Messages per transaction. Measured for the ledger (DESIGN §7): the batch is what makes it fast, and 1000 is enough.
const BATCH_MESSAGES_MAX: usize = 1000;
/// First and longest pause before the database is tried again.
const RETRY_DELAY: Duration = Duration::from_millis(100);
const RETRY_DELAY_MAX: Duration = Duration::from_secs(5);

/// One of the two logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log {
    /// What was asked.
    Requests,
    /// What was answered.
    Settlements,
}

impl Log {
    pub(crate) fn stream(self) -> &'static str {
        match self {
            Self::Requests => REQUESTS,
            Self::Settlements => SETTLEMENTS,
        }
    }
}

/// How far each log is projected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursors {
    pub(crate) requests: u64,
    pub(crate) settlements: u64,
}

impl Cursors {
    fn of(&self, log: Log) -> u64 {
        match log {
            Log::Requests => self.requests,
            Log::Settlements => self.settlements,
        }
    }

    fn set(&mut self, log: Log, sequence: u64) {
        match log {
            Log::Requests => self.requests = sequence,
            Log::Settlements => self.settlements = sequence,
        }
    }
}

/// Why the projection stopped; a person has to look at it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProjectionError {
    /// The log has a gap.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log is not the one that was projected.
    #[error(
        "stream {stream} ends at {last} but is projected up to {cursor}: the log was lost or replaced; \
         if that was meant, empty the payments database and it is projected anew"
    )]
    Shortened {
        stream: &'static str,
        last: u64,
        cursor: u64,
    },
}

/// The projection of this process: its loops, and what it has learnt.
pub(crate) struct Projection {
    pool: PgPool,
    /// The logs hold what strangers sent, so each is read on a connection of its own.
    broker: broker::Config,
    jetstream: jetstream::Context,
    cursors: watch::Sender<Cursors>,
    keys: watch::Sender<Keys>,
}

impl Projection {
    /// Picks up where the database says.
    pub(crate) async fn open(
        pool: PgPool,
        broker: broker::Config,
        jetstream: jetstream::Context,
    ) -> sqlx::Result<Self> {
        let mut db = pool.acquire().await?;
        let cursors = Cursors {
            requests: store::cursor(&mut db, REQUESTS).await?,
            settlements: store::cursor(&mut db, SETTLEMENTS).await?,
        };
        let keys = known_keys(store::keys(&mut db).await?);
        drop(db);
        Ok(Self {
            pool,
            broker,
            jetstream,
            cursors: watch::Sender::new(cursors),
            keys: watch::Sender::new(keys),
        })
    }

    /// The keys that tokens are verified with.
    pub(crate) fn keys(&self) -> watch::Ref<'_, Keys> {
        self.keys.borrow()
    }

    /// The cursors as they move. Whatever is at or before them can be read in the database.
    pub(crate) fn cursors(&self) -> watch::Receiver<Cursors> {
        self.cursors.subscribe()
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
        let mut cursors = self.cursors();
        let passed = cursors.wait_for(|cursors| cursors.of(log) >= sequence);
        matches!(tokio::time::timeout(timeout, passed).await, Ok(Ok(_)))
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

    /// Projects both logs; returns only when one of them can't be read on.
    pub(crate) async fn run(&self) -> Result<(), ProjectionError> {
        tokio::try_join!(self.follow(Log::Requests), self.follow(Log::Settlements)).map(drop)
    }

    async fn follow(&self, log: Log) -> Result<(), ProjectionError> {
        loop {
            let cursor = self.read_cursor(log).await;
            self.check_length(log, cursor).await?;
            let mut reader = Reader::new(&self.broker, log.stream(), cursor + 1);
            while self
                .project(log, &reader.batch(BATCH_MESSAGES_MAX).await?)
                .await
            {}
            tracing::info!(
                stream = log.stream(),
                "another instance was faster, reading on from its cursor"
            );
        }
    }

    /// Projects a batch; `false` when another instance has moved the cursor.
    async fn project(&self, log: Log, batch: &[Stored]) -> bool {
        let (Some(first), Some(last)) = (batch.first(), batch.last()) else {
            return true;
        };
        let changes = match log {
            Log::Requests => Changes::Requested(requested(batch)),
            Log::Settlements => Changes::Answered(answered(batch)),
        };
        let range = store::Range {
            first: first.sequence,
            last: last.sequence,
        };
        let taken = retried(|| write(&self.pool, log, range, &changes)).await;
        if !taken {
            return false;
        }
        if matches!(&changes, Changes::Answered(answered) if !answered.keys.is_empty()) {
            self.learn_keys().await;
        }
        // Last: who sees the cursor there relies on everything above.
        self.cursors
            .send_modify(|cursors| cursors.set(log, range.last));
        true
    }

    async fn read_cursor(&self, log: Log) -> u64 {
        let cursor = retried(async || {
            let mut db = self.pool.acquire().await?;
            store::cursor(&mut db, log.stream()).await
        })
        .await;
        // Another instance may have projected keys.
        if log == Log::Settlements {
            self.learn_keys().await;
        }
        self.cursors.send_modify(|cursors| cursors.set(log, cursor));
        cursor
    }

    async fn learn_keys(&self) {
        let rows = retried(async || {
            let mut db = self.pool.acquire().await?;
            store::keys(&mut db).await
        })
        .await;
        self.keys.send_replace(known_keys(rows));
    }

    /// A reader that starts behind the end would wait for ever instead of telling that the log is another one.
    async fn check_length(&self, log: Log, cursor: u64) -> Result<(), ProjectionError> {
        let stream = log.stream();
        let last = loop {
            match broker::last_sequence(&self.jetstream, stream).await {
                Ok(last) => break last,
                Err(error) => {
                    tracing::warn!(%error, stream, "the log's length is unknown, asking again");
                    tokio::time::sleep(RETRY_DELAY).await;
                }
            }
        };
        if last < cursor {
            return Err(ProjectionError::Shortened {
                stream,
                last,
                cursor,
            });
        }
        Ok(())
    }
}

/// One transaction per batch; `false` when the cursor is not where the batch begins, and nothing has changed.
async fn write(
    pool: &PgPool,
    log: Log,
    range: store::Range,
    changes: &Changes,
) -> sqlx::Result<bool> {
    let mut tx = pool.begin().await?;
    // First, because it makes a second instance wait here until the first has committed.
    if !store::advance_cursor(&mut tx, log.stream(), range).await? {
        return Ok(false);
    }
    match changes {
        Changes::Requested(requested) => store::insert_requested(&mut tx, requested).await?,
        Changes::Answered(answered) => {
            store::upsert_decided(&mut tx, &answered.payments).await?;
            store::insert_keys(&mut tx, &answered.keys).await?;
        }
    }
    tx.commit().await?;
    Ok(true)
}

/// Tries until the database does it. A commit whose outcome is unknown is safe to repeat: the cursor tells.
async fn retried<T>(mut work: impl AsyncFnMut() -> sqlx::Result<T>) -> T {
    let mut delay = RETRY_DELAY;
    loop {
        match work().await {
            Ok(value) => return value,
            Err(error) => {
                tracing::error!(%error, ?delay, "the database failed the projection, trying again");
                tokio::time::sleep(delay).await;
                delay = (delay * 2).min(RETRY_DELAY_MAX);
            }
        }
    }
}

fn known_keys(rows: Vec<store::SigningKey>) -> Keys {
    let mut keys = Keys::default();
    for row in rows {
        if let Err(error) = keys.insert(&row.kid, &row.issuer, &row.n, &row.e) {
            tracing::error!(%error, kid = row.kid, "a noted key is not used");
        }
    }
    keys
}
