//! The loop: reads requests in order, has each batch verified and decided; behind it the batches before are written, in
//! one transaction each, and their answers published. It may die at any instruction, and another may run at the same time.
//!
//! What holds that together: the answers, postings, balances and the cursor are one transaction; the cursor moves by
//! compare-and-set, so of two ledgers only one can write batch N; answers are published only right behind what is
//! published already, in order, so of two ledgers only one can publish answer N. After any failure the
//! engine forgets all it knows and starts again at [`Engine::recover`], from the database and the streams.
//!
//! A batch is decided while the one before is written and the one before that is published. So the book knows more than
//! the database, and holds all of what is not committed yet ([`Deciding`]). What follows deciding is the [`Pipeline`].

mod context;
pub mod crash;
mod failure;

pub(crate) mod durability;

mod announce;
mod chart;
mod raise;
mod recover;

mod measures;
mod steps;
mod traced;

mod deciding;
mod pipeline;

pub(crate) use context::{Engine, Health};
pub use failure::{Halt, UnsafeSetting};
pub(crate) use measures::Measures;
pub(crate) use steps::{BatchSteps, Steps};

use std::sync::Arc;
use std::time::Duration;

use common::broker::{self, ReadError, Reader};
use common::message::Stored;
use common::service::now;
use sqlx::ConnectOptions as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::core::batch;
use crate::store;
use context::DATABASE_TIMEOUT;
use deciding::Deciding;
use failure::Failure;
use pipeline::Pipeline;
use recover::Recovered;

/// Between a request of the ledger's own that failed and the next try: a broker whose configuration is older may not allow it.
const OWN_RETRY_DELAY: Duration = Duration::from_secs(60);
/// Between the failure of one try to lead and the next.
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// The batch in work is a matter of milliseconds: what takes longer than this when the ledger is told to stop is left to
/// whoever leads next.
const FINISH_LIMIT: Duration = Duration::from_secs(3);

/// A restart of the broker or the database takes fewer tries than this.
const FAILURES_MAX: u32 = 5;

impl Engine {
    /// Leads whenever no other ledger does, until `stop`: then it finishes the batch in work.
    ///
    /// # Errors
    /// [`Halt`].
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) -> Result<(), Halt> {
        let mut failures = 0_u32;
        loop {
            let failure = tokio::select! {
                led = self.lead(&stop) => match led {
                    Ok(()) => return Ok(()),
                    Err(_) if stop.is_cancelled() => return Ok(()),
                    Err(failure) => failure,
                },
                () = too_late(&stop) => {
                    tracing::warn!("the batch in work takes long, leaving it to the next leader");
                    return Ok(());
                }
            };
            match failure {
                Failure::Halt(halt) => return Err(halt),
                failure => {
                    self.measures.leads(false);
                    tracing::warn!(%failure, "starting again from the database and the streams");
                    let had_worked = *self.health.borrow() == Health::Working;
                    failures = if had_worked { 1 } else { failures + 1 };
                    let is_lasting = failures >= FAILURES_MAX;
                    self.health.send_replace(if is_lasting {
                        Health::Failing(failure.to_string())
                    } else {
                        Health::Waiting
                    });
                    tokio::time::sleep(RETRY_DELAY).await;
                }
            }
        }
    }

    /// Leads until `stop`, once it is this ledger's turn.
    async fn lead(self: &Arc<Self>, stop: &CancellationToken) -> Result<(), Failure> {
        let Turn {
            mut deciding,
            mut pipeline,
            log,
            published,
        } = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            turn = self.turn() => turn?,
        };
        let mut requests = Reader::of_requests(&self.broker, deciding.cursor().seq + 1);
        let mut raise_at = Some(Instant::now());
        let mut chart_at = Some(Instant::now());
        loop {
            // Not before all that the log held has been decided: it may hold the raise already.
            let is_caught_up = deciding.cursor().seq >= log;
            if is_caught_up && deciding.rules() < self.rules && raise_at.is_some_and(is_over) {
                raise_at = match self.raise_rules(self.rules).await {
                    Ok(()) => None,
                    Err(error) => {
                        tracing::warn!(%error, "the rules can't be raised, going on by the old ones");
                        Some(Instant::now() + OWN_RETRY_DELAY)
                    }
                };
            }
            if is_caught_up
                && deciding.rules().open_bank_accounts()
                && chart_at.is_some_and(is_over)
            {
                chart_at = match self.open_bank_accounts().await {
                    Ok(()) => None,
                    Err(error) => {
                        tracing::warn!(%error, "the bank's own accounts can't be asked for, trying again later");
                        Some(Instant::now() + OWN_RETRY_DELAY)
                    }
                };
            }
            let idle = pipeline.idle(deciding.cursor().seq);
            let mut waiting = tokio::select! {
                biased;
                // The next request may be hours away: a failure of the last batch must be seen now.
                failure = pipeline.failed() => return Err(failure),
                () = stop.cancelled() => return finish(&mut pipeline, deciding.cursor().seq).await,
                waiting = next_batch(&mut requests, self.batch_max, idle) => waiting?,
            };
            let read_at = now();
            while !waiting.is_empty() && !stop.is_cancelled() {
                let mut length = batch::length(&waiting);
                let seq = deciding.cursor().seq;
                if seq < published {
                    // Answered before: a batch must not reach beyond what there is to compare with.
                    length = length.min(usize::try_from(published - seq).unwrap_or(length));
                }
                let rest = waiting.split_off(length);
                let messages = std::mem::replace(&mut waiting, rest);
                deciding.forget_committed(pipeline.written_up_to());
                let prepared = deciding.decide(&messages).await?;
                let batch = &prepared.batch;
                self.steps
                    .decided(batch.from.seq + 1, batch.to.seq, read_at);
                pipeline.take(prepared).await?;
            }
        }
    }

    /// Waits for the turn to lead, and gets ready for it.
    async fn turn(self: &Arc<Self>) -> Result<Turn, Failure> {
        // The lock goes with the connection that all is written through; the compare-and-set is still behind it.
        let mut leading = store::lead(&self.database).await?;
        broker::ensure_streams(&self.jetstream, self.stream_replicas).await?;
        self.require_durability(&mut leading).await?;
        let Recovered {
            cursor,
            published,
            log,
        } = self.recover().await?;
        let reading = tokio::time::timeout(DATABASE_TIMEOUT, self.database.connect())
            .await
            .map_err(|_| Failure::Stalled)??;
        let deciding = Deciding::start(reading, cursor, self.measures.clone()).await?;
        // Where something waits, the first batch that is written shows that it works.
        if cursor.seq >= log {
            self.works();
        }
        let pipeline = Pipeline::start(self.clone(), leading, cursor.seq, published);
        tracing::info!(cursor = cursor.seq, published, "leading");
        self.measures.leads(true);
        self.measures.stands_at(cursor.seq, published);
        Ok(Turn {
            deciding,
            pipeline,
            log,
            published,
        })
    }
}

/// What a leader begins with.
struct Turn {
    deciding: Deciding,
    pipeline: Pipeline,
    /// Where the log and the published answers ended.
    log: u64,
    published: u64,
}

/// Lets what is decided be written and published.
async fn finish(pipeline: &mut Pipeline, seq: u64) -> Result<(), Failure> {
    let idle = pipeline.idle(seq);
    tokio::select! {
        failure = pipeline.failed() => Err(failure),
        () = idle => {
            tracing::info!(seq, "finished what was begun, stopping");
            Ok(())
        }
    }
}

/// Returns when the time to finish after `stop` is over.
async fn too_late(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(FINISH_LIMIT).await;
}

/// While earlier batches are on their way, waits for one that is worth its cost: more and smaller batches would only
/// cost the broker more files. Once everything is written and published, takes whatever there is.
async fn next_batch(
    requests: &mut Reader,
    messages_max: usize,
    idle: impl Future<Output = ()>,
) -> Result<Vec<Stored>, ReadError> {
    let worth_it = messages_max.div_ceil(4);
    let large = tokio::select! {
        biased;
        large = requests.batch_of(worth_it, messages_max) => Some(large?),
        () = idle => None,
    };
    match large {
        Some(large) => Ok(large),
        None => requests.batch(messages_max).await,
    }
}

fn is_over(moment: Instant) -> bool {
    Instant::now() >= moment
}
