//! The loops that read both logs.

use std::time::Duration;

use common::broker::{self, Reader};
use common::wire::SETTLEMENTS;

use super::cursors::Log;
use super::error::ProjectionError;
use super::learnt::Projection;
use super::retry::RETRY_DELAY;

/// Messages per transaction. As for the ledger, the batch is what makes it fast, and 1000 is enough.
const BATCH_MESSAGES_MAX: usize = 1000;
/// How long a request may be without an answer before its pending row is written. The ledger takes 5 ms, and some tens
/// under load.
const ANSWER_WAIT: Duration = Duration::from_millis(100);
/// The same for a request that somebody asks for: most are answered by then.
const ANSWER_WAIT_IF_WANTED: Duration = Duration::from_millis(20);
/// From one transaction of answers to the next, unless somebody waits: few large ones cost less than many small ones.
const ANSWERS_INTERVAL: Duration = Duration::from_millis(20);

impl Projection {
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
                .await?
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
        let mut reader = Reader::of_requests(&self.broker, next);
        loop {
            let batch = reader.batch(BATCH_MESSAGES_MAX).await?;
            let last = batch.last().map_or(0, |message| message.sequence);
            if last > end && self.answered_in_time(last).await {
                return Ok(true);
            }
            if !self.project(Log::Requests, &batch).await? {
                return Ok(false);
            }
        }
    }

    /// Waits for the answers up to this one; `false` when they take too long.
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
        // Wake early if someone waits; a timeout is normal.
        drop(tokio::time::timeout(duration, self.wanted(log)).await);
    }

    /// Waits until somebody waits for a message that is not projected.
    async fn wanted(&self, log: Log) {
        let projected = || self.cursors.borrow().of(log);
        let mut wanted = self.wanted.subscribe();
        let wanted = wanted.wait_for(|wanted| *wanted > projected()).await;
        drop(wanted.expect("the sender is in self"));
    }

    /// A reader that starts behind the end would wait for ever, and hide that the log is another one.
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
