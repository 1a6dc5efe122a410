//! Reads a stream in order, from a sequence on, without a gap, in batches. Whatever goes wrong, it starts again at the
//! sequence that is due; what it could not read in passing it fetches by itself ([`get`]).

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use futures::{FutureExt as _, StreamExt as _};

use super::{Config, Stored, get, last_sequence};

/// Why reading stopped.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A message is missing: the log was damaged, or is not the one that was read before.
    #[error("stream {stream} jumps from {expected} to {found}")]
    Gap {
        /// The stream.
        stream: String,
        /// The sequence that was due.
        expected: u64,
        /// The one that came.
        found: u64,
    },
    /// The broker does not do its part; trying again may help.
    #[error("reading {stream} failed: {cause}")]
    Broker {
        /// The stream.
        stream: String,
        /// What it said.
        cause: String,
    },
}

/// How long a started batch waits for more, when the broker says that more is on its way.
const FILL_TIMEOUT: Duration = Duration::from_millis(20);
/// Messages asked for at a time: two batches, so that one is on its way while another is worked on.
const PULL_MESSAGES: usize = 2000;
/// A consumer that was lost (the broker restarted) is noticed after two missed heartbeats.
const HEARTBEAT: Duration = Duration::from_millis(500);
const PULL_EXPIRES: Duration = Duration::from_secs(10);
/// A reader that died leaves nothing behind for longer than this.
const CONSUMER_INACTIVE_MAX: Duration = Duration::from_secs(30);
/// Between two tries to get a consumer from a broker that is away.
const RETRY_DELAY: Duration = Duration::from_millis(200);

/// While nothing comes: how often to look whether the connection was renewed. What was on its way through the old one is
/// lost to its consumer.
const CONNECTION_CHECK_INTERVAL: Duration = Duration::from_millis(200);

/// After trouble, as many messages are fetched one by one (0.3 ms each) before a consumer is tried again (300 ms if it
/// chokes too), so that a series of troublesome ones costs little more than others.
const FETCHES_MAX: usize = 200;

/// Reads one stream from one sequence on.
pub struct Reader {
    connection: Connection,
    stream: String,
    /// The sequence that is due.
    next: u64,
    messages: Option<pull::Stream>,
    /// Connections that the client had made when `messages` began.
    connects: u64,
    /// The last consumer ended with an error: it may be the due message that it choked on.
    is_troubled: bool,
    /// Read but not handed out yet; kept here so that cancelling [`Reader::batch`] loses nothing.
    batch: Vec<Stored>,
    /// Whether the broker said, with the last message, that more is behind it.
    more_behind: bool,
}

enum Connection {
    Shared(jetstream::Context),
    Own {
        config: Box<Config>,
        jetstream: Option<jetstream::Context>,
    },
}

impl Reader {
    /// A reader whose first message will be `from` (1 or higher), on a connection that others use too.
    ///
    /// For streams that only we write: a stranger's message can end the client that it is delivered to.
    #[must_use]
    pub fn new(jetstream: jetstream::Context, stream: &str, from: u64) -> Self {
        Self::with(Connection::Shared(jetstream), stream, from)
    }

    /// A reader with a connection of its own, which is made anew whenever a message ends it.
    #[must_use]
    pub fn of_strangers(config: &Config, stream: &str, from: u64) -> Self {
        let connection = Connection::Own {
            config: Box::new(config.clone()),
            jetstream: None,
        };
        Self::with(connection, stream, from)
    }

    fn with(connection: Connection, stream: &str, from: u64) -> Self {
        Self {
            connection,
            stream: stream.to_owned(),
            next: from.max(1),
            messages: None,
            connects: 0,
            is_troubled: false,
            batch: Vec::new(),
            more_behind: false,
        }
    }

    /// The messages that wait, at least one and at most `messages_max`, in order.
    ///
    /// Returns at once with what is there when nothing waits behind it; fills the batch when something does. A broker
    /// that restarts is waited for. May be cancelled.
    ///
    /// # Errors
    /// [`ReadError::Gap`] only; a lost connection is retried for ever.
    pub async fn batch(&mut self, messages_max: usize) -> Result<Vec<Stored>, ReadError> {
        loop {
            match self.fill(messages_max).await {
                Ok(()) => {}
                Err(gap @ ReadError::Gap { .. }) => return Err(gap),
                Err(error @ ReadError::Broker { .. }) => {
                    tracing::warn!(%error, next = self.next, "reading again from the same place");
                    self.messages = None;
                    self.is_troubled = true;
                    if let Connection::Own { jetstream, .. } = &mut self.connection {
                        *jetstream = None;
                    }
                }
            }
            if !self.batch.is_empty() {
                return Ok(std::mem::take(&mut self.batch));
            }
            tokio::time::sleep(RETRY_DELAY).await;
        }
    }

    async fn fill(&mut self, messages_max: usize) -> Result<(), ReadError> {
        if self.messages.is_none() {
            let jetstream = self.jetstream().await?;
            if self.is_troubled && self.fetch_due(&jetstream, messages_max).await? {
                return Ok(());
            }
            self.connects = connects(&jetstream);
            self.messages = Some(self.consume(&jetstream).await?);
        }
        while self.batch.len() < messages_max {
            let messages = self.messages.as_mut().expect("made above");
            let message = if self.batch.is_empty() {
                match tokio::time::timeout(CONNECTION_CHECK_INTERVAL, messages.next()).await {
                    Ok(message) => message,
                    Err(_) if connects(&self.jetstream().await?) == self.connects => continue,
                    Err(_) => return Err(self.failed(&"the connection was renewed")),
                }
            } else if let Some(message) = messages.next().now_or_never() {
                message
            } else if self.more_behind {
                match tokio::time::timeout(FILL_TIMEOUT, messages.next()).await {
                    Ok(message) => message,
                    Err(_) => break,
                }
            } else {
                break;
            };
            let stored = match message {
                Some(Ok(message)) => Stored::delivered(message),
                Some(Err(error)) => Err(error.to_string()),
                None => Err("the consumer ended".to_owned()),
            };
            let (stored, pending) = stored.map_err(|cause| self.failed(&cause))?;
            let (found, expected) = (stored.sequence, self.next);
            if found != expected {
                // Not a gap yet: what was sent through a connection that broke counts as delivered.
                return Err(self.failed(&format!("{found} came when {expected} was due")));
            }
            self.next = found + 1;
            self.is_troubled = false;
            self.more_behind = pending > 0;
            self.batch.push(stored);
        }
        Ok(())
    }

    /// Fetches the due messages one by one, a few in case that several of them are troublesome. False when the stream
    /// does not reach that far yet.
    async fn fetch_due(
        &mut self,
        jetstream: &jetstream::Context,
        messages_max: usize,
    ) -> Result<bool, ReadError> {
        let last = last_sequence(jetstream, &self.stream)
            .await
            .map_err(|error| self.failed(&error))?;
        while self.next <= last && self.batch.len() < messages_max.min(FETCHES_MAX) {
            let Some(stored) = get(jetstream, &self.stream, self.next).await? else {
                return Err(ReadError::Gap {
                    stream: self.stream.clone(),
                    expected: self.next,
                    found: last,
                });
            };
            self.next += 1;
            self.batch.push(stored);
        }
        self.is_troubled = false;
        self.more_behind = false;
        Ok(!self.batch.is_empty())
    }

    async fn jetstream(&mut self) -> Result<jetstream::Context, ReadError> {
        match &mut self.connection {
            Connection::Shared(jetstream)
            | Connection::Own {
                jetstream: Some(jetstream),
                ..
            } => Ok(jetstream.clone()),
            Connection::Own { config, jetstream } => {
                let connected = super::connect(config).await;
                let client = connected.map_err(|error| ReadError::Broker {
                    stream: self.stream.clone(),
                    cause: error.to_string(),
                })?;
                Ok(jetstream.insert(super::jetstream(&client)).clone())
            }
        }
    }

    fn failed(&self, cause: &dyn std::fmt::Display) -> ReadError {
        ReadError::Broker {
            stream: self.stream.clone(),
            cause: cause.to_string(),
        }
    }

    async fn consume(&self, jetstream: &jetstream::Context) -> Result<pull::Stream, ReadError> {
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence {
                start_sequence: self.next,
            },
            ack_policy: AckPolicy::None,
            memory_storage: true,
            num_replicas: 1,
            inactive_threshold: CONSUMER_INACTIVE_MAX,
            ..pull::Config::default()
        };
        let stream = jetstream
            .get_stream_no_info(&self.stream)
            .await
            .map_err(|error| self.failed(&error))?;
        let consumer = stream
            .create_consumer(config)
            .await
            .map_err(|error| self.failed(&error))?;
        consumer
            .stream()
            .max_messages_per_batch(PULL_MESSAGES)
            .heartbeat(HEARTBEAT)
            .expires(PULL_EXPIRES)
            .messages()
            .await
            .map_err(|error| self.failed(&error))
    }
}

fn connects(jetstream: &jetstream::Context) -> u64 {
    jetstream
        .client()
        .statistics()
        .connects
        .load(Ordering::Relaxed)
}
