//! Waits for the answer to a request: message N of SETTLEMENTS, where N comes from the request's `PubAck`.
//!
//! One reader serves all waiters of this process. It reads while there is one, and some seconds longer: at thousands of
//! answers a second, reading unwanted ones costs as much as the rest of a request.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::jetstream;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::config::Config;
use super::error::ReadError;
use super::get::get;
use super::reader::Reader;
use super::streams::last_sequence;
use crate::message::Stored;
use crate::wire::SETTLEMENTS;

/// Messages read at a time.
const BATCH: usize = 1000;
/// Before reading begins again after an error.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// How long reading goes on without a waiter. A reader that ends leaves a consumer at the broker for some seconds, so
/// this also keeps consumers few.
const LINGER: Duration = Duration::from_secs(5);

/// One reader of SETTLEMENTS that serves everybody in this process who waits for an answer.
#[derive(Clone)]
pub struct Answers {
    config: Config,
    jetstream: jetstream::Context,
    stop: CancellationToken,
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Default)]
struct Waiting {
    by_sequence: BTreeMap<u64, Vec<oneshot::Sender<Stored>>>,
    reading: Reading,
    /// When somebody last began to wait.
    asked_at: Option<Instant>,
}

/// How far the reader is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Reading {
    /// Nobody reads.
    #[default]
    No,
    /// Starting, at or before the first answer anyone awaits.
    Beginning,
    /// Reading; this one is next.
    From(u64),
}

impl Answers {
    /// Makes sure that SETTLEMENTS can be read; reading ends with `stop`.
    ///
    /// # Errors
    /// When the broker does not answer or has no such stream yet.
    pub async fn start(
        config: Config,
        jetstream: jetstream::Context,
        stop: CancellationToken,
    ) -> Result<Self, jetstream::context::GetStreamError> {
        last_sequence(&jetstream, SETTLEMENTS).await?;
        Ok(Self {
            config,
            jetstream,
            stop,
            waiting: Arc::default(),
        })
    }

    /// The answer to request `sequence`, or `None` when it has not come after `timeout`.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub async fn wait(
        &self,
        sequence: u64,
        timeout: Duration,
    ) -> Result<Option<Stored>, ReadError> {
        // Look in the stream first: then the reader never has to begin with an old answer.
        if let Some(answer) = get(&self.jetstream, SETTLEMENTS, sequence).await? {
            return Ok(Some(answer));
        }
        let Some(told) = self.enlist(sequence) else {
            // The reader has passed it since we looked.
            return get(&self.jetstream, SETTLEMENTS, sequence).await;
        };
        Ok(told.within(timeout).await)
    }

    /// Registers a waiter for this answer; `None` when the reader is past it.
    fn enlist(&self, sequence: u64) -> Option<Ticket> {
        let mut waiting = self.lock();
        waiting.asked_at = Some(Instant::now());
        match waiting.reading {
            Reading::From(next) if sequence < next => return None,
            Reading::From(_) | Reading::Beginning => {}
            Reading::No => {
                waiting.reading = Reading::Beginning;
                let telling = self.clone();
                tokio::spawn(async move {
                    telling.stop.run_until_cancelled(telling.tell()).await;
                });
            }
        }
        let (send, receive) = oneshot::channel();
        waiting.by_sequence.entry(sequence).or_default().push(send);
        Some(Ticket {
            answers: self.clone(),
            sequence,
            answer: receive,
        })
    }

    /// Hands answers to waiters until there are none left. An error ends one reader and begins the next.
    async fn tell(&self) {
        let mut next = self.begin().await;
        loop {
            let mut reader = Reader::new(&self.config, SETTLEMENTS, next);
            let error = loop {
                match reader.batch(BATCH).await {
                    Ok(batch) => {
                        next = batch.last().map_or(next, |answer| answer.sequence + 1);
                        if self.tell_batch(&batch, next) {
                            return;
                        }
                    }
                    Err(error) => break error,
                }
            };
            // A missing answer never comes. Those behind it do.
            if let ReadError::Gap { found, .. } = &error {
                next = (*found).max(next + 1);
            }
            tracing::error!(%error, next, "answers can't be read on, beginning again");
            tokio::time::sleep(RETRY_DELAY).await;
        }
    }

    /// Where to begin: with the first answer that is waited for, or the end if that is before it.
    async fn begin(&self) -> u64 {
        let last = loop {
            match last_sequence(&self.jetstream, SETTLEMENTS).await {
                Ok(last) => break last,
                Err(error) => tracing::error!(%error, "answers can't be read, beginning again"),
            }
            tokio::time::sleep(RETRY_DELAY).await;
        };
        let mut waiting = self.lock();
        // Each of these was missing when its waiter looked, so the first is near the end.
        let first = waiting
            .by_sequence
            .first_key_value()
            .map(|(first, _)| *first);
        let next = first.map_or(last + 1, |first| first.min(last + 1));
        waiting.reading = Reading::From(next);
        next
    }

    /// Hands out a batch; `true` when nobody has waited for some time, and reading ends.
    fn tell_batch(&self, batch: &[Stored], next: u64) -> bool {
        let mut waiting = self.lock();
        waiting.reading = Reading::From(next);
        for answer in batch {
            for waiter in waiting
                .by_sequence
                .remove(&answer.sequence)
                .unwrap_or_default()
            {
                // The waiter may have given up.
                drop(waiter.send(answer.clone()));
            }
        }
        let is_wanted = waiting.asked_at.is_some_and(|at| at.elapsed() < LINGER);
        let is_over = waiting.by_sequence.is_empty() && !is_wanted;
        if is_over {
            waiting.reading = Reading::No;
        }
        is_over
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A waiter's place, freed when it is dropped: waiters who give up leave nothing behind.
struct Ticket {
    answers: Answers,
    sequence: u64,
    answer: oneshot::Receiver<Stored>,
}

impl Ticket {
    async fn within(mut self, timeout: Duration) -> Option<Stored> {
        let told = tokio::time::timeout(timeout, &mut self.answer).await;
        told.ok().and_then(Result::ok)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.answer.close();
        let mut waiting = self.answers.lock();
        if let Entry::Occupied(mut waiters) = waiting.by_sequence.entry(self.sequence) {
            waiters.get_mut().retain(|waiter| !waiter.is_closed());
            if waiters.get().is_empty() {
                waiters.remove();
            }
        }
    }
}
