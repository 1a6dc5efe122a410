//! Reads a stream in order, from a sequence on, without a gap, in batches. Whatever goes wrong, it starts again at the
//! sequence that is due.

use std::time::Duration;

use futures::FutureExt as _;

use super::client::{connect, jetstream};
use super::config::Config;
use super::error::ReadError;
use super::feed::Feed;
use super::get::get;
use super::gets::Gets;
use crate::message::Stored;
use crate::wire::{REQUESTS, SETTLEMENTS};

/// How long a started batch waits for more, when the broker says that more is on its way.
const FILL_TIMEOUT: Duration = Duration::from_millis(20);
/// Bodies beyond this make a batch full: ten batches of a thousand payments, or thousands of plain ones. The ledger takes a
/// tenth of a second for it. Twice as much would cost a payment less, and make everybody wait twice as long.
const BATCH_BYTES: usize = 2 << 20;
/// After so many failures at one message it is fetched by itself.
const FEED_FAILURES_MAX: u32 = 2;
/// Between two tries to read from a broker that is away.
const RETRY_DELAY: Duration = Duration::from_millis(200);

/// How a stream is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By a consumer through an import: an empty message cuts its delivery.
    Import,
    /// By a consumer, with a login in the stream's own account.
    AtHome,
    /// By sequences.
    Gets,
}

/// Where messages come from.
enum Source {
    Consumer(Feed),
    Gets(Gets),
}

impl Source {
    async fn next(&mut self) -> Result<(Stored, u64), String> {
        match self {
            Self::Consumer(feed) => feed.next().await,
            Self::Gets(gets) => gets.next().await,
        }
    }
}

/// Reads one stream from one sequence on, on a connection of its own.
pub struct Reader {
    config: Config,
    stream: String,
    way: Way,
    /// The sequence that is due.
    next: u64,
    source: Option<Source>,
    /// Failures in a row at the message that is due.
    failures: u32,
    /// Messages in a row that came when another was due.
    strays: u32,
    /// Read but not handed out yet; kept here so that cancelling [`Reader::batch`] loses nothing.
    batch: Vec<Stored>,
    /// The size of their bodies.
    batch_bytes: usize,
    /// Whether the broker said, with the last message, that more is behind it.
    more_behind: bool,
}

impl Reader {
    /// A reader whose first message will be `from` (1 or higher).
    #[must_use]
    pub fn new(config: &Config, stream: &str, from: u64) -> Self {
        Self {
            config: config.clone(),
            stream: stream.to_owned(),
            way: Way::Import,
            next: from.max(1),
            source: None,
            failures: 0,
            strays: 0,
            batch: Vec::new(),
            batch_bytes: 0,
            more_behind: false,
        }
    }

    /// A reader of REQUESTS with the second login of a service: in the stream's own account, where no message cuts a
    /// delivery and each costs the broker less.
    #[must_use]
    pub fn of_requests(config: &Config, from: u64) -> Self {
        Self {
            way: Way::AtHome,
            ..Self::new(&config.reader(), REQUESTS, from)
        }
    }

    /// A reader of SETTLEMENTS that can change nothing there, and hears of a new message some milliseconds later.
    #[must_use]
    pub fn of_settlements_only_reading(config: &Config, from: u64) -> Self {
        Self {
            way: Way::Gets,
            ..Self::new(config, SETTLEMENTS, from)
        }
    }

    /// The messages that wait, at least one and at most `messages_max`, in order.
    ///
    /// Returns at once with what is there when nothing waits behind it; fills the batch when something does, as far as large
    /// bodies let it. A broker that restarts is waited for. May be cancelled.
    ///
    /// # Errors
    /// [`ReadError::Gap`] only; a lost connection is retried for ever.
    pub async fn batch(&mut self, messages_max: usize) -> Result<Vec<Stored>, ReadError> {
        self.batch_of(1, messages_max).await
    }

    /// As [`Reader::batch`], but waits until `messages_min` are there, or fewer with large bodies.
    ///
    /// # Errors
    /// As [`Reader::batch`].
    pub async fn batch_of(
        &mut self,
        messages_min: usize,
        messages_max: usize,
    ) -> Result<Vec<Stored>, ReadError> {
        loop {
            match self.fill(messages_min, messages_max).await {
                Ok(()) => {
                    self.batch_bytes = 0;
                    return Ok(std::mem::take(&mut self.batch));
                }
                Err(gap @ ReadError::Gap { .. }) => return Err(gap),
                Err(error @ ReadError::Broker { .. }) => {
                    tracing::warn!(%error, next = self.next, "reading again from the same place");
                    self.source = None;
                    self.failures += 1;
                    if self.failures > FEED_FAILURES_MAX
                        && let Err(error) = self.fetch_due().await
                    {
                        tracing::warn!(%error, next = self.next, "it can't be fetched by itself either");
                    }
                    tokio::time::sleep(RETRY_DELAY).await;
                }
            }
        }
    }

    async fn fill(&mut self, messages_min: usize, messages_max: usize) -> Result<(), ReadError> {
        while self.batch.len() < messages_max && self.batch_bytes < BATCH_BYTES {
            self.open().await?;
            let next = self.source.as_mut().expect("opened above").next();
            let message = if self.batch.len() < messages_min {
                next.await
            } else if self.more_behind {
                match tokio::time::timeout(FILL_TIMEOUT, next).await {
                    Ok(message) => message,
                    Err(_) => break,
                }
            } else if let Some(message) = next.now_or_never() {
                message
            } else {
                break;
            };
            let (stored, pending) = message.map_err(|cause| self.failed(cause))?;
            let (found, expected) = (stored.sequence, self.next);
            if found != expected {
                return Err(self.stray(found, expected));
            }
            self.next = found + 1;
            (self.failures, self.strays) = (0, 0);
            self.more_behind = pending > 0;
            self.batch_bytes += stored.payload.len();
            self.batch.push(stored);
        }
        Ok(())
    }

    async fn open(&mut self) -> Result<(), ReadError> {
        let (config, stream, next) = (&self.config, &self.stream, self.next);
        let opened = match (&mut self.source, self.way) {
            (Some(Source::Consumer(feed)), Way::Import) if feed.is_cut() => {
                feed.resume(stream, next).await
            }
            (Some(_), _) => return Ok(()),
            (none, Way::Gets) => Gets::open(config, stream, next)
                .await
                .map(|gets| *none = Some(Source::Gets(gets))),
            (none, Way::Import | Way::AtHome) => Feed::open(config, stream, next)
                .await
                .map(|feed| *none = Some(Source::Consumer(feed))),
        };
        opened.map_err(|cause| self.failed(cause))
    }

    /// Fetches the due message by itself, in case the feed chokes on it: no message may block a reader.
    async fn fetch_due(&mut self) -> Result<(), ReadError> {
        let client = connect(&self.config).await;
        let client = client.map_err(|error| self.failed(error.to_string()))?;
        let jetstream = jetstream(&client);
        if let Some(stored) = get(&jetstream, &self.stream, self.next).await? {
            self.next += 1;
            self.failures = 0;
            self.more_behind = false;
            self.batch.push(stored);
        }
        Ok(())
    }

    /// A message came that is not due. A consumer starts at the first message that the stream has from there on. So
    /// when a second consumer passes over the due one too, the stream does not have it.
    fn stray(&mut self, found: u64, expected: u64) -> ReadError {
        self.strays += 1;
        if self.strays > 1 && found > expected {
            return ReadError::Gap {
                stream: self.stream.clone(),
                expected,
                found,
            };
        }
        self.failed(format!("{found} came when {expected} was due"))
    }

    fn failed(&self, cause: String) -> ReadError {
        ReadError::Broker {
            stream: self.stream.clone(),
            cause,
        }
    }
}
