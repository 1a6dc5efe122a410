//! Group commit at the door: requests that arrive while the broker is busy storing others are stored together.
//!
//! One group is under way at a time; whatever arrives meanwhile waits in a bounded queue and becomes the next one. A
//! request that finds nothing under way goes at once, alone. Each gets its own sequence.
//!
//! The broker stores a group as one atomic batch or message by message, whichever costs less: see [`ALONE_MAX`].

use std::sync::Arc;
use std::time::Duration;

use common::broker::{ALONE_MAX, BATCH_MESSAGES_MAX, PublishError, Publisher};
use common::message::Outgoing;
use common::wire::REQUESTS;
use futures::future::join_all;
use tokio::sync::{mpsc, oneshot};

/// Requests that may wait: two full batches, at most a tenth of a second of work. Beyond it the caller hears "later".
const QUEUE_MAX: usize = 2 * BATCH_MESSAGES_MAX;

/// How long to let the next group grow behind a batch. It costs each request this, and saves every other batch.
const GATHER: Duration = Duration::from_millis(3);

/// Why a request was not stored, as far as we know.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Refused {
    /// Too many wait; this one has not been sent.
    #[error("{QUEUE_MAX} payments wait to be stored already")]
    Full,
    /// What became of it, or of the batch that it was in.
    #[error(transparent)]
    Broker(Arc<PublishError>),
    /// The service stops.
    #[error("the service is stopping")]
    Closed,
}

/// The way into the log. Clones lead to the same queue.
#[derive(Clone)]
pub(crate) struct Door {
    queue: mpsc::Sender<Waiting>,
}

type Waiting = (Outgoing, Submitter);

/// Gets the sequence of the message.
type Submitter = oneshot::Sender<Result<u64, Refused>>;

impl Door {
    /// Opens the door; it closes when the last clone is dropped.
    pub(crate) fn open(publisher: Publisher) -> Self {
        let (queue, mut arrivals) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(async move {
            let mut group = Vec::new();
            while arrivals.recv_many(&mut group, BATCH_MESSAGES_MAX).await > 0 {
                let is_batch = group.len() > ALONE_MAX;
                let (messages, told) = group.drain(..).unzip();
                store(&publisher, messages, told).await;
                if is_batch {
                    tokio::time::sleep(GATHER).await;
                }
            }
        });
        Self { queue }
    }

    /// Stores one message, together with others that come.
    pub(crate) async fn store(&self, message: Outgoing) -> Result<u64, Refused> {
        let (place, told) = oneshot::channel();
        self.queue
            .try_send((message, place))
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => Refused::Full,
                mpsc::error::TrySendError::Closed(_) => Refused::Closed,
            })?;
        told.await.unwrap_or(Err(Refused::Closed))
    }
}

/// Stores a group as one atomic batch, or one by one when it is small.
///
/// When the broker takes no batch at all, because somebody holds all places for batches, the messages go one by one.
/// That is slower, but keeps nobody out.
async fn store(publisher: &Publisher, messages: Vec<Outgoing>, told: Vec<Submitter>) {
    if messages.len() <= ALONE_MAX {
        return store_each(publisher, &messages, told).await;
    }
    match publisher.publish_batch(REQUESTS, &messages, None).await {
        Ok(ack) => {
            let count = u64::try_from(told.len()).expect("a thousand at most");
            // The ack of a batch names the sequence of its last message; the others are right before it.
            let sequences = (ack.sequence + 1).saturating_sub(count)..=ack.sequence;
            for (told, sequence) in told.into_iter().zip(sequences) {
                tell(told, Ok(sequence));
            }
        }
        Err(error @ PublishError::Incomplete(_)) => {
            let count = messages.len();
            tracing::warn!(%error, count, "storing payments one by one");
            store_each(publisher, &messages, told).await;
        }
        Err(error) => refuse(told, error),
    }
}

/// Stores messages without a batch, which costs each an fsync of its own; all are under way at a time.
async fn store_each(publisher: &Publisher, messages: &[Outgoing], told: Vec<Submitter>) {
    match publisher.publish_each(REQUESTS, messages, None).await {
        Ok(stored) => {
            let each = stored.into_iter().zip(told).map(async |(stored, told)| {
                let place = stored.await.map(|ack| ack.sequence);
                tell(
                    told,
                    place.map_err(|error| Refused::Broker(Arc::new(error))),
                );
            });
            join_all(each).await;
        }
        Err(error) => refuse(told, error),
    }
}

fn refuse(all: Vec<Submitter>, error: PublishError) {
    let error = Arc::new(error);
    for told in all {
        tell(told, Err(Refused::Broker(error.clone())));
    }
}

fn tell(whom: Submitter, place: Result<u64, Refused>) {
    // The receiver may be gone; the request is in the log all the same.
    drop(whom.send(place));
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::broker::Config;
    use common::headers::HeaderLines;
    use futures::StreamExt as _;
    use futures::stream::FuturesUnordered;

    #[tokio::test]
    async fn beyond_a_full_queue_the_caller_hears_it_at_once() {
        let mut servers = local::testing::servers().await;
        let config = Config {
            url: servers.nats_url(),
            user: "payments".to_owned(),
            password: servers.nats_password("payments").to_owned(),
        };
        let door = Door::open(Publisher::new(&config));
        servers.kill_nats();
        // One batch is under way and stuck, the queue takes its share, the rest is refused at once.
        let message = Outgoing {
            subject: "request.payment.v1.shop".to_owned(),
            headers: HeaderLines::default(),
            payload: "{}".into(),
        };
        let count = QUEUE_MAX + BATCH_MESSAGES_MAX + 1;
        let mut all: FuturesUnordered<_> =
            (0..count).map(|_| door.store(message.clone())).collect();
        let first = all.next().await.expect("many are under way");
        assert!(matches!(first, Err(Refused::Full)), "{first:?}");
    }
}
