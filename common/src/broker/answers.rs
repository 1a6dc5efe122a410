//! Waits for the answer to a request: message N of SETTLEMENTS, for the N that the request's `PubAck` told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{ReadError, Reader, Stored, get};
use crate::wire::SETTLEMENTS;

/// Messages read at a time.
const BATCH: usize = 1000;

/// One reader of SETTLEMENTS that serves everybody in this process who waits for an answer.
#[derive(Clone)]
pub struct Answers {
    jetstream: jetstream::Context,
    waiting: Arc<Mutex<HashMap<u64, Vec<oneshot::Sender<Stored>>>>>,
}

impl Answers {
    /// Starts reading at the end of SETTLEMENTS, until `stop`.
    ///
    /// # Errors
    /// When the broker does not answer or has no such stream yet.
    pub async fn start(
        jetstream: jetstream::Context,
        stop: CancellationToken,
    ) -> Result<Self, jetstream::context::GetStreamError> {
        let last = super::last_sequence(&jetstream, SETTLEMENTS).await?;
        let answers = Self {
            jetstream: jetstream.clone(),
            waiting: Arc::default(),
        };
        let waiting = answers.waiting.clone();
        let mut reader = Reader::new(jetstream, SETTLEMENTS, last + 1);
        tokio::spawn(async move {
            while let Some(batch) = stop.run_until_cancelled(reader.batch(BATCH)).await {
                let batch = match batch {
                    Ok(batch) => batch,
                    Err(error) => {
                        tracing::error!(%error, "nobody hears of answers any more");
                        break;
                    }
                };
                let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
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
        });
        Ok(answers)
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
