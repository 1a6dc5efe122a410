//! Reads a stream in order, from a sequence on, without a gap, in batches.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::{self, stream};
use bytes::Bytes;
use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use futures::{FutureExt as _, StreamExt as _};

/// A stored message.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its place in the stream.
    pub sequence: u64,
    /// When the broker stored it, to the microsecond, which is what PostgreSQL and our JSON keep.
    pub published_at: DateTime<Utc>,
    /// Its subject.
    pub subject: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub payload: Bytes,
}

impl Stored {
    /// The first value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(async_nats::HeaderValue::as_str)
    }
}

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

/// Reads one stream from one sequence on.
pub struct Reader {
    jetstream: jetstream::Context,
    stream: String,
    filter: Option<String>,
    /// The sequence that is due.
    next: u64,
    messages: Option<pull::Stream>,
    /// Read but not handed out yet; kept here so that cancelling [`Reader::batch`] loses nothing.
    batch: Vec<Stored>,
    /// Whether the broker said, with the last message, that more is behind it.
    more_behind: bool,
}

impl Reader {
    /// A reader whose first message will be `from` (1 or higher).
    #[must_use]
    pub fn new(jetstream: jetstream::Context, stream: &str, from: u64) -> Self {
        Self {
            jetstream,
            stream: stream.to_owned(),
            filter: None,
            next: from.max(1),
            messages: None,
            batch: Vec::new(),
            more_behind: false,
        }
    }

    /// Only messages of these subjects. Sequences are then rising but not gapless.
    #[must_use]
    pub fn filtered(self, subjects: &str) -> Self {
        Self {
            filter: Some(subjects.to_owned()),
            ..self
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
            self.messages = Some(self.consume().await?);
        }
        let messages = self.messages.as_mut().expect("made above");
        while self.batch.len() < messages_max {
            let message = if self.batch.is_empty() {
                messages.next().await
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
                Some(Ok(message)) => stored(message),
                Some(Err(error)) => Err(error.to_string()),
                None => Err("the consumer ended".to_owned()),
            };
            let (stored, pending) = stored.map_err(|cause| ReadError::Broker {
                stream: self.stream.clone(),
                cause,
            })?;
            let (found, expected) = (stored.sequence, self.next);
            if found < expected {
                let cause = format!("{found} came when {expected} was due");
                return Err(ReadError::Broker {
                    stream: self.stream.clone(),
                    cause,
                });
            }
            if found > expected && self.filter.is_none() {
                return Err(ReadError::Gap {
                    stream: self.stream.clone(),
                    expected,
                    found,
                });
            }
            self.next = found + 1;
            self.more_behind = pending > 0;
            self.batch.push(stored);
        }
        Ok(())
    }

    fn failed(&self, cause: &dyn std::fmt::Display) -> ReadError {
        ReadError::Broker {
            stream: self.stream.clone(),
            cause: cause.to_string(),
        }
    }

    async fn consume(&self) -> Result<pull::Stream, ReadError> {
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence {
                start_sequence: self.next,
            },
            ack_policy: AckPolicy::None,
            filter_subject: self.filter.clone().unwrap_or_default(),
            memory_storage: true,
            num_replicas: 1,
            inactive_threshold: CONSUMER_INACTIVE_MAX,
            ..pull::Config::default()
        };
        let stream = self
            .jetstream
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

/// Reads one message by its sequence; `None` when the stream has none there.
///
/// Its headers are the stored ones and those that the broker adds to what is read in this way (`Nats-Sequence` …). Who
/// needs exactly what is stored reads with a [`Reader`].
///
/// # Errors
/// When the broker does not answer.
pub async fn get(
    jetstream: &jetstream::Context,
    stream: &str,
    sequence: u64,
) -> Result<Option<Stored>, ReadError> {
    let failed = |cause: &dyn std::fmt::Display| ReadError::Broker {
        stream: stream.to_owned(),
        cause: cause.to_string(),
    };
    let handle = jetstream
        .get_stream_no_info(stream)
        .await
        .map_err(|error| failed(&error))?;
    match handle.direct_get(sequence).await {
        Ok(message) => Ok(Some(Stored {
            sequence: message.sequence,
            published_at: microseconds(message.time),
            subject: message.subject.to_string(),
            headers: message.headers,
            payload: message.payload,
        })),
        Err(error) if error.kind() == stream::DirectGetErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(&error)),
    }
}

/// The message as we keep it, and how many more the broker holds behind it.
fn stored(message: jetstream::Message) -> Result<(Stored, u64), String> {
    let info = message.info().map_err(|error| error.to_string())?;
    let (sequence, published_at, pending) = (
        info.stream_sequence,
        microseconds(info.published),
        info.pending,
    );
    let subject = message.subject.to_string();
    let (message, _) = message.split();
    let headers = message.headers.unwrap_or_default();
    Ok((
        Stored {
            sequence,
            published_at,
            subject,
            headers,
            payload: message.payload,
        },
        pending,
    ))
}

fn microseconds(time: DateTime<Utc>) -> DateTime<Utc> {
    time.duration_trunc(TimeDelta::microseconds(1))
        .expect("the broker's clock is within the years that have nanoseconds")
}
