//! Group commit at the door: requests that arrive while the broker is busy storing others are stored together.
//!
//! One group is under way at a time; whatever arrives meanwhile waits in the [`queue`] and becomes the next one. A
//! request that finds nothing under way goes at once, alone. Each gets its own sequence.
//!
//! The broker stores a group as one atomic batch or message by message, whichever costs less: see [`ALONE_MAX`].

mod counters;
mod limits;
mod queue;

pub use limits::Limits;
pub(crate) use limits::TooMuch;

use std::sync::Arc;
use std::time::Duration;

use common::broker::{ALONE_MAX, BATCH_MESSAGES_MAX, PublishError, Publisher, ReplyTo};
use common::ids::ClientId;
use common::message::Outgoing;
use common::service::PAYMENT;
use common::service::traces::Span;
use common::wire::{CE_ID, REQUESTS, TRACEPARENT, trace_id};
use futures::future::join_all;
use metrics::histogram;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use self::counters::Counters;
use self::queue::{Queue, Taken, Waiting};

/// How long to let the next group grow behind a batch. It costs each request this, and saves every other batch.
const GATHER: Duration = Duration::from_millis(3);

/// Why a request was not stored, as far as we know.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Refused {
    /// Its client sends too much; this one has not been sent.
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
    /// What became of it, or of the batch that it was in.
    #[error(transparent)]
    Broker(Arc<PublishError>),
    /// The service stops.
    #[error("the service is stopping")]
    Closed,
}

/// Where a request stands in the log, or why it does not.
pub(crate) type Place = Result<u64, Refused>;

/// The way into the log. Clones lead to the same queue.
#[derive(Clone)]
pub(crate) struct Door {
    queue: Arc<Queue>,
    /// The receiver of [`Told::Producer`].
    producers: mpsc::Sender<(ReplyTo, Place)>,
}

/// Who gets to know the place of a request.
#[derive(Debug)]
pub(crate) enum Told {
    /// A caller in this process.
    Caller(oneshot::Sender<Place>),
    /// A producer that waits at the broker.
    Producer(ReplyTo),
    /// Nobody asked.
    Nobody,
}

/// Who waits for the place of a message that is being stored, and where it is counted.
struct Submitter {
    told: Told,
    counters: Arc<Counters>,
    bytes: usize,
    span: Span,
    /// The message, while each payment is logged.
    logged: Option<Outgoing>,
}

impl Door {
    /// Opens the door. `producers` gets the places of what producers handed in.
    pub(crate) fn open(
        publisher: Publisher,
        limits: Limits,
        producers: mpsc::Sender<(ReplyTo, Place)>,
    ) -> Self {
        let door = Self {
            queue: Arc::new(Queue::new(limits)),
            producers,
        };
        let serving = door.clone();
        let messages = histogram!("quittance_door_group_messages");
        let seconds = histogram!("quittance_door_group_seconds");
        tokio::spawn(async move {
            loop {
                let group = serving.queue.take(BATCH_MESSAGES_MAX).await;
                let is_batch = group.len() > ALONE_MAX;
                let count = u32::try_from(group.len()).unwrap_or(u32::MAX);
                messages.record(f64::from(count));
                let began = Instant::now();
                serving.store_group(&publisher, group).await;
                seconds.record(began.elapsed());
                if is_batch {
                    tokio::time::sleep(GATHER).await;
                }
            }
        });
        door
    }

    /// Stores one message, together with others that come. `span` is its publication, which ends then.
    pub(crate) async fn store(&self, client: &ClientId, message: Outgoing, span: Span) -> Place {
        let (tell, told) = oneshot::channel();
        self.hand_in(client, message, Told::Caller(tell), span)?;
        told.await.unwrap_or(Err(Refused::Closed))
    }

    /// As [`Door::store`], but does not wait: `told` gets to know.
    pub(crate) fn hand_in(
        &self,
        client: &ClientId,
        message: Outgoing,
        told: Told,
        span: Span,
    ) -> Result<(), TooMuch> {
        let waiting = Waiting {
            message,
            told,
            span,
        };
        self.queue.push(client, waiting)
    }

    /// Stores a group as one atomic batch, or one by one when it is small.
    ///
    /// When the broker takes no batch at all, because somebody holds all places for batches, the messages go one by one.
    /// That is slower, but keeps nobody out.
    async fn store_group(&self, publisher: &Publisher, group: Vec<Taken>) {
        let is_logged = tracing::enabled!(target: PAYMENT, tracing::Level::DEBUG);
        let (messages, told): (Vec<_>, Vec<_>) = group
            .into_iter()
            .map(|Taken { waiting, counters }| {
                let Waiting {
                    message,
                    told,
                    span,
                } = waiting;
                let bytes = message.bytes();
                let submitter = Submitter {
                    told,
                    counters,
                    bytes,
                    span,
                    logged: is_logged.then(|| message.clone()),
                };
                (message, submitter)
            })
            .unzip();
        if messages.len() <= ALONE_MAX {
            return self.store_each(publisher, &messages, told).await;
        }
        match publisher.publish_batch(REQUESTS, &messages, None).await {
            Ok(ack) => {
                let count = u64::try_from(told.len()).expect("a thousand at most");
                // The ack of a batch names the sequence of its last message; the others are right before it.
                let sequences = (ack.sequence + 1).saturating_sub(count)..=ack.sequence;
                for (told, sequence) in told.into_iter().zip(sequences) {
                    self.tell(told, Ok(sequence)).await;
                }
            }
            Err(error @ PublishError::Incomplete(_)) => {
                let count = messages.len();
                tracing::warn!(%error, count, "storing payments one by one");
                self.store_each(publisher, &messages, told).await;
            }
            Err(error) => self.refuse(told, error).await,
        }
    }

    /// Stores messages without a batch, which costs each an fsync of its own; all are under way at a time.
    async fn store_each(&self, publisher: &Publisher, messages: &[Outgoing], told: Vec<Submitter>) {
        match publisher.publish_each(REQUESTS, messages, None).await {
            Ok(stored) => {
                let each = stored.into_iter().zip(told).map(async |(stored, told)| {
                    let place = stored.await.map(|ack| ack.sequence);
                    let place = place.map_err(|error| Refused::Broker(Arc::new(error)));
                    self.tell(told, place).await;
                });
                join_all(each).await;
            }
            Err(error) => self.refuse(told, error).await,
        }
    }

    async fn refuse(&self, all: Vec<Submitter>, error: PublishError) {
        tracing::error!(%error, count = all.len(), "payments may not have been stored");
        let error = Arc::new(error);
        for told in all {
            self.tell(told, Err(Refused::Broker(error.clone()))).await;
        }
    }

    async fn tell(&self, mut submitter: Submitter, place: Place) {
        if let Ok(request_seq) = place {
            submitter.span.stored(request_seq);
            submitter.counters.stored(submitter.bytes);
            if let Some(message) = &submitter.logged {
                log_stored(request_seq, message);
            }
        } else {
            submitter.span.fail("as far as we know it was not stored");
        }
        drop(submitter.span);
        match submitter.told {
            // The receiver may be gone; the request is in the log all the same.
            Told::Caller(caller) => drop(caller.send(place)),
            Told::Producer(producer) => drop(self.producers.send((producer, place)).await),
            Told::Nobody => {}
        }
    }
}

fn log_stored(request_seq: u64, message: &Outgoing) {
    let header = |name: &str| {
        let mut lines = message.headers.as_str().lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    };
    tracing::debug!(
        target: PAYMENT,
        request_seq,
        trace_id = header(TRACEPARENT).map(trace_id),
        payment_id = header(CE_ID),
        subject = message.subject,
        "stored",
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::broker::Config;
    use common::headers::HeaderLines;
    use futures::StreamExt as _;
    use futures::stream::FuturesUnordered;

    #[tokio::test]
    async fn a_client_with_too_many_waiting_hears_it_at_once_and_others_get_in() {
        let mut servers = local::testing::servers().await;
        let config = Config {
            url: servers.nats_url(),
            user: "payments".to_owned(),
            password: servers.nats_password("payments").to_owned(),
            ca: None,
        };
        let limits = Limits::default();
        let (producers, _places) = mpsc::channel(1);
        let door = Door::open(Publisher::new(&config), limits, producers);
        servers.kill_nats();
        // One batch is under way and stuck, the queue takes its share, the rest is refused at once.
        let message = Outgoing {
            subject: "request.payment.v1.shop".to_owned(),
            headers: HeaderLines::default(),
            payload: "{}".into(),
        };
        let (shop, other) = ("shop".parse().unwrap(), "other".parse().unwrap());
        let share = usize::try_from(limits.client_waiting.get()).unwrap();
        let count = share + BATCH_MESSAGES_MAX + 1;
        let mut all: FuturesUnordered<_> = (0..count)
            .map(|_| door.store(&shop, message.clone(), Span::default()))
            .collect();
        let first = all.next().await.expect("many are under way");
        let is_refused = matches!(first, Err(Refused::TooMuch(TooMuch::Waiting { .. })));
        assert!(is_refused, "{first:?}");
        door.hand_in(&other, message, Told::Nobody, Span::default())
            .unwrap();
    }
}
