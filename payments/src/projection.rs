//! The loops that listen: read SETTLEMENTS, and what of REQUESTS it takes, into PostgreSQL, batch by batch.
//!
//! An answer says all about its payment, so a request that is answered in time is never read here: its row is written
//! once, whole, from the answer. Only requests that stay unanswered for a moment, or that somebody asks for now, are read
//! and become pending rows. [`Cursors`] says which requests have left a row.
//!
//! Each log has a cursor in the database. A batch is one transaction: the cursor moves from the place before the batch
//! to its end, and the rows change. So a death at any instruction loses nothing and repeats nothing; and when two
//! instances run, the one whose cursor has been moved by the other rolls back and reads on from there.
//!
//! The two logs are not in step; [`crate::rows`] says why that does not matter. What can't be read is passed over, for
//! the ledger has rejected it; a gap in a log stops everything.

use std::time::Duration;

use async_nats::jetstream::{self, context::GetStreamError};
use common::broker;
use common::broker::{ReadError, Reader};
use common::message::Stored;
use common::token::Keys;
use common::wire::{REQUESTS, SETTLEMENTS};
use sqlx::PgPool;
use tokio::sync::watch;

use crate::rows::{self, Changes};
use crate::store;

/// Messages per transaction. Measured for the ledger (DESIGN §7): the batch is what makes it fast, and 1000 is enough.
const BATCH_MESSAGES_MAX: usize = 1000;
/// How long a request may be without an answer before its pending row is written. The ledger takes 5 ms, and some tens
/// under load.
const ANSWER_WAIT: Duration = Duration::from_millis(100);
/// The same for a request that somebody asks for: most are answered by then.
const ANSWER_WAIT_IF_WANTED: Duration = Duration::from_millis(20);
/// From one transaction of answers to the next, unless somebody waits: few large ones cost less than many small ones.
const ANSWERS_INTERVAL: Duration = Duration::from_millis(20);
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
    /// As in the database.
    requests: u64,
    /// As in the database.
    settlements: u64,
    /// Every answer behind this one, up to `settlements`, names its payment and so has left a row of it. This one did
    /// not, or nobody knows.
    named_after: u64,
}

impl Cursors {
    /// The last message of a log of which, as of all before it, the database says what there is to say.
    ///
    /// Requests need not be read for that as far as their answers are projected and named them.
    fn of(&self, log: Log) -> u64 {
        match log {
            Log::Requests if self.named_after <= self.requests => {
                self.requests.max(self.settlements)
            }
            Log::Requests => self.requests,
            Log::Settlements => self.settlements,
        }
    }

    /// Takes over what the database says.
    fn set(&mut self, log: Log, sequence: u64) {
        match log {
            Log::Requests => self.requests = sequence,
            Log::Settlements => {
                self.settlements = sequence;
                self.named_after = sequence;
            }
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
    /// The last message that somebody waits for, in either log: what is numbered alike belongs together.
    wanted: watch::Sender<u64>,
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
        let settlements = store::cursor(&mut db, SETTLEMENTS).await?;
        let cursors = Cursors {
            requests: store::cursor(&mut db, REQUESTS).await?,
            settlements,
            named_after: settlements,
        };
        let keys = known_keys(store::keys(&mut db).await?);
        drop(db);
        Ok(Self {
            pool,
            broker,
            jetstream,
            cursors: watch::Sender::new(cursors),
            wanted: watch::Sender::new(0),
            keys: watch::Sender::new(keys),
        })
    }

    /// The keys that tokens are verified with.
    pub(crate) fn keys(&self) -> watch::Ref<'_, Keys> {
        self.keys.borrow()
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
    async fn reached(&self, log: Log, sequence: u64) {
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

    /// Projects both logs; returns only when one of them can't be read on.
    pub(crate) async fn run(&self) -> Result<(), ProjectionError> {
        tokio::try_join!(self.follow_requests(), self.follow_settlements()).map(drop)
    }

    async fn follow_settlements(&self) -> Result<(), ProjectionError> {
        loop {
            let cursor = self.read_cursor(Log::Settlements).await;
            self.check_length(Log::Settlements, cursor).await?;
            let mut reader = Reader::new(&self.broker, SETTLEMENTS, cursor + 1);
            while self
                .project(Log::Settlements, &reader.batch(BATCH_MESSAGES_MAX).await?)
                .await
            {
                self.sleep_unless_wanted(Log::Settlements, ANSWERS_INTERVAL)
                    .await;
            }
            told_faster(Log::Settlements);
        }
    }

    async fn follow_requests(&self) -> Result<(), ProjectionError> {
        loop {
            let cursor = self.read_cursor(Log::Requests).await;
            self.check_length(Log::Requests, cursor).await?;
            while self.project_unanswered().await? {}
            told_faster(Log::Requests);
        }
    }

    /// Waits for requests that stay without an answer and reads on from there until answers come in time again; `false`
    /// when another instance has moved the cursor.
    async fn project_unanswered(&self) -> Result<bool, ProjectionError> {
        let end = self.last_sequence(Log::Requests).await;
        if self.answered_in_time(end).await {
            let is_ours = self.skip_answered().await;
            self.sleep_unless_wanted(Log::Requests, ANSWER_WAIT).await;
            return Ok(is_ours);
        }
        if !self.skip_answered().await {
            return Ok(false);
        }
        let next = self.cursors.borrow().requests + 1;
        let mut reader = Reader::new(&self.broker, REQUESTS, next);
        loop {
            let batch = reader.batch(BATCH_MESSAGES_MAX).await?;
            let last = batch.last().map_or(0, |message| message.sequence);
            if last > end && self.answered_in_time(last).await {
                return Ok(true);
            }
            if !self.project(Log::Requests, &batch).await {
                return Ok(false);
            }
        }
    }

    /// Waits for the answers up to this one, as long as requests may be without; `false` when that is over.
    async fn answered_in_time(&self, sequence: u64) -> bool {
        let impatient = async {
            self.wanted(Log::Requests).await;
            tokio::time::sleep(ANSWER_WAIT_IF_WANTED).await;
        };
        tokio::select! {
            biased;
            () = self.reached(Log::Requests, sequence) => true,
            () = impatient => false,
            () = tokio::time::sleep(ANSWER_WAIT) => false,
        }
    }

    async fn sleep_unless_wanted(&self, log: Log, duration: Duration) {
        // Who waits is heard at once; that nobody does is no error.
        drop(tokio::time::timeout(duration, self.wanted(log)).await);
    }

    /// Waits until somebody waits for a message that is not projected.
    async fn wanted(&self, log: Log) {
        let projected = || self.cursors.borrow().of(log);
        let mut wanted = self.wanted.subscribe();
        let wanted = wanted.wait_for(|wanted| *wanted > projected()).await;
        drop(wanted.expect("the sender is in self"));
    }

    /// Moves the cursor over requests whose answers have left their rows; `false` when another instance has moved it.
    ///
    /// The answers' transactions have been committed before, so this one is never durable without them.
    async fn skip_answered(&self) -> bool {
        let cursors = *self.cursors.borrow();
        let (from, to) = (cursors.requests, cursors.of(Log::Requests));
        if to == from {
            return true;
        }
        let range = store::Range {
            first: from + 1,
            last: to,
        };
        self.write(Log::Requests, range, &Changes::Requested(Vec::new()))
            .await
    }

    /// Projects a batch; `false` when another instance has moved the cursor.
    async fn project(&self, log: Log, batch: &[Stored]) -> bool {
        let (Some(first), Some(last)) = (batch.first(), batch.last()) else {
            return true;
        };
        let range = store::Range {
            first: first.sequence,
            last: last.sequence,
        };
        let changes = match log {
            Log::Requests => {
                let projected = self.cursors.borrow().of(log);
                let count = batch.partition_point(|message| message.sequence <= projected);
                Changes::Requested(rows::requested(&batch[count..]))
            }
            Log::Settlements => Changes::Answered(rows::answered(batch)),
        };
        self.write(log, range, &changes).await
    }

    async fn write(&self, log: Log, range: store::Range, changes: &Changes) -> bool {
        if !retried(|| write(&self.pool, log, range, changes)).await {
            return false;
        }
        if matches!(changes, Changes::Answered(answered) if !answered.keys.is_empty()) {
            self.learn_keys().await;
        }
        // Last: who sees the cursor there relies on everything above.
        self.cursors.send_modify(|cursors| match changes {
            Changes::Requested(_) => cursors.requests = range.last,
            Changes::Answered(answered) => {
                cursors.settlements = range.last;
                cursors.named_after = cursors.named_after.max(answered.nameless_last);
            }
        });
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
        let last = self.last_sequence(log).await;
        if last < cursor {
            return Err(ProjectionError::Shortened {
                stream,
                last,
                cursor,
            });
        }
        Ok(())
    }

    async fn last_sequence(&self, log: Log) -> u64 {
        let stream = log.stream();
        loop {
            match broker::last_sequence(&self.jetstream, stream).await {
                Ok(last) => return last,
                Err(error) => {
                    tracing::warn!(%error, stream, "the log's length is unknown, asking again");
                    tokio::time::sleep(RETRY_DELAY).await;
                }
            }
        }
    }
}

fn told_faster(log: Log) {
    let stream = log.stream();
    tracing::info!(
        stream,
        "another instance was faster, reading on from its cursor"
    );
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

#[cfg(test)]
mod tests {
    use super::*;

    /// `requests settlements named_after` in, how far requests are projected out.
    fn check(cursors: [u64; 3], expected: u64) {
        let [requests, settlements, named_after] = cursors;
        let of = Cursors {
            requests,
            settlements,
            named_after,
        };
        assert_eq!(of.of(Log::Requests), expected, "{cursors:?}");
        assert_eq!(of.of(Log::Settlements), settlements, "{cursors:?}");
    }

    #[test]
    fn a_request_is_projected_once_its_answer_is_unless_it_names_no_payment() {
        check([0, 0, 0], 0);
        check([0, 9, 0], 9);
        check([5, 9, 0], 9);
        check([5, 9, 5], 9);
        check([9, 5, 0], 9);
        // Answer 6 says nothing of its payment, so request 6 has to be read, and with it those before.
        check([5, 9, 6], 5);
        check([6, 9, 6], 9);
    }
}
