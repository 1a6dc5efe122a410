//! Waits for the answer to a request: message N of SETTLEMENTS, for the N that the request's `PubAck` told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{Config, ReadError, Reader, Stored, get};
use crate::wire::SETTLEMENTS;

/// Messages read at a time.
const BATCH: usize = 1000;
/// Before reading begins again after an error.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// One reader of SETTLEMENTS that serves everybody in this process who waits for an answer.
#[derive(Clone)]
pub struct Answers {
    config: Config,
    jetstream: jetstream::Context,
    waiting: Arc<Mutex<HashMap<u64, Vec<oneshot::Sender<Stored>>>>>,
}

impl Answers {
    /// Starts reading at the end of SETTLEMENTS, until `stop`.
    ///
    /// # Errors
    /// When the broker does not answer or has no such stream yet.
    pub async fn start(
        config: Config,
        jetstream: jetstream::Context,
        stop: CancellationToken,
    ) -> Result<Self, jetstream::context::GetStreamError> {
        let last = super::last_sequence(&jetstream, SETTLEMENTS).await?;
        let answers = Self {
            config,
            jetstream: jetstream.clone(),
            waiting: Arc::default(),
        };
        let telling = answers.clone();
        tokio::spawn(async move {
            stop.run_until_cancelled(telling.tell_from(last + 1)).await;
        });
        Ok(answers)
    }

    /// Tells whoever waits, for ever: an error ends one reader and begins the next.
    async fn tell_from(&self, mut next: u64) {
        loop {
            let mut reader = Reader::new(&self.config, SETTLEMENTS, next);
            let error = loop {
                match reader.batch(BATCH).await {
                    Ok(batch) => {
                        next = batch.last().map_or(next, |answer| answer.sequence + 1);
                        self.tell(&batch);
                    }
                    Err(error) => break error,
                }
            };
            // What is missing will not come, and nobody can be told of it; what stands behind it can be.
            if let ReadError::Gap { found, .. } = &error {
                next = (*found).max(next + 1);
            }
            tracing::error!(%error, next, "answers can't be read on, beginning again");
            tokio::time::sleep(RETRY_DELAY).await;
        }
    }

    fn tell(&self, batch: &[Stored]) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for answer in batch {
            for waiter in waiting.remove(&answer.sequence).unwrap_or_default() {
                // A waiter that gave up is no error.
                drop(waiter.send(answer.clone()));
            }
        }
        waiting.retain(|_, waiters| {
            waiters.retain(|waiter| !waiter.is_closed());
            !waiters.is_empty()
        });
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
        let (send, receive) = oneshot::channel();
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(sequence)
            .or_default()
            .push(send);
        // It may have been published before we began to wait.
        if let Some(answer) = get(&self.jetstream, SETTLEMENTS, sequence).await? {
            return Ok(Some(answer));
        }
        Ok(tokio::time::timeout(timeout, receive)
            .await
            .ok()
            .and_then(Result::ok))
    }
}
