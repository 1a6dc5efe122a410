//! What services logged, read from the stream LOGS for the staff. Auth does it because nobody who can't reach auth could ask.

use std::convert::Infallible;

use anyhow::Context as _;
use async_nats::Client;
use chrono::{DateTime, Utc};
use common::broker::{self, Logs, LogsError, PublishedLine};
use serde_json::Value;
use tokio::sync::{OnceCell, Semaphore};

/// Lines looked through for one answer: half a second of work.
const LOOKED_THROUGH_MAX: u64 = 20_000;
/// Searches at a time: log-ins come first.
const READERS_MAX: usize = 2;
/// Lines read at a time, on the way back.
const STEP: u64 = 500;

/// Reads the stream, over a connection that is made when it is needed.
pub(crate) struct LogReader {
    config: broker::Config,
    client: OnceCell<Client>,
    turns: Semaphore,
}

/// Which lines are wanted.
#[derive(Debug, Default)]
pub(crate) struct Wanted<'w> {
    pub(crate) service: Option<&'w str>,
    pub(crate) level: Option<Level>,
    pub(crate) trace: Option<&'w str>,
    pub(crate) payment: Option<&'w str>,
    pub(crate) request: Option<&'w str>,
    /// Those that the broker got since.
    pub(crate) since: Option<DateTime<Utc>>,
}

/// How grave a line is at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

impl Level {
    pub(crate) fn named(text: &str) -> Option<Self> {
        Some(match text.to_ascii_lowercase().as_str() {
            "trace" => Self::Trace,
            "debug" => Self::Debug,
            "info" => Self::Info,
            "warn" => Self::Warn,
            "error" => Self::Error,
            _ => return None,
        })
    }
}

/// A line that was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) published: PublishedLine,
    /// What the service wrote; `null` where it is no JSON.
    pub(crate) line: Value,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) lines: Vec<Found>,
    /// Everything from here up to `last` was looked through.
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// There may be more beyond it.
    pub(crate) goes_on: bool,
}

impl LogReader {
    pub(crate) fn new(config: &broker::Config) -> Self {
        Self {
            config: config.logs(),
            client: OnceCell::new(),
            turns: Semaphore::new(READERS_MAX),
        }
    }

    /// Makes the stream; the connection stays.
    pub(crate) async fn keep(&self) -> anyhow::Result<Infallible> {
        let logs = self.logs().await?;
        logs.ensure()
            .await
            .context("the stream LOGS can't be made")?;
        std::future::pending().await
    }

    async fn logs(&self) -> Result<Logs, LogsError> {
        let client = self
            .client
            .get_or_try_init(|| broker::connect(&self.config))
            .await;
        let client = client.map_err(|error| LogsError::Silent(error.to_string()))?;
        Ok(Logs::new(client.clone()))
    }

    /// The newest lines before this one, the newest first.
    pub(crate) async fn before(
        &self,
        wanted: &Wanted<'_>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Part, LogsError> {
        let _turn = self.turns.acquire().await;
        let logs = self.logs().await?;
        let (kept_first, kept_last) = logs.bounds().await?;
        let last = before.map_or(kept_last, |before| before.saturating_sub(1).min(kept_last));
        let mut part = Part {
            first: last + 1,
            last,
            ..Part::default()
        };
        while part.first > kept_first && part.last + 1 - part.first < LOOKED_THROUGH_MAX {
            let (begin, end) = (
                part.first.saturating_sub(STEP).max(kept_first),
                part.first - 1,
            );
            for published in logs.between(begin, end).await?.into_iter().rev() {
                if wanted.since.is_some_and(|since| published.at < since) {
                    return Ok(part);
                }
                part.first = published.sequence;
                part.lines.extend(wanted.found(published));
                if part.lines.len() == limit {
                    part.goes_on = part.first > kept_first;
                    return Ok(part);
                }
            }
            part.first = begin;
        }
        part.goes_on = part.first > kept_first;
        Ok(part)
    }

    /// The lines behind this one, in order.
    pub(crate) async fn after(
        &self,
        wanted: &Wanted<'_>,
        after: u64,
        limit: usize,
    ) -> Result<Part, LogsError> {
        let _turn = self.turns.acquire().await;
        let logs = self.logs().await?;
        let (kept_first, kept_last) = logs.bounds().await?;
        let first = after.saturating_add(1).max(kept_first);
        let mut part = Part {
            first,
            last: first - 1,
            ..Part::default()
        };
        let until = kept_last.min(part.last.saturating_add(LOOKED_THROUGH_MAX));
        while part.last < until {
            let end = (part.last + STEP).min(until);
            for published in logs.between(part.last + 1, end).await? {
                part.last = published.sequence;
                part.lines.extend(wanted.found(published));
                if part.lines.len() == limit {
                    part.goes_on = part.last < kept_last;
                    return Ok(part);
                }
            }
            part.last = end;
        }
        part.goes_on = part.last < kept_last;
        Ok(part)
    }
}

impl Wanted<'_> {
    fn found(&self, published: PublishedLine) -> Option<Found> {
        if self
            .service
            .is_some_and(|service| published.service != service)
        {
            return None;
        }
        let line: Value = serde_json::from_slice(&published.line).unwrap_or_default();
        let is = |name: &str, wanted: Option<&str>| {
            wanted.is_none_or(|wanted| line[name].as_str() == Some(wanted))
        };
        let level = line["level"].as_str().and_then(Level::named);
        let is_grave = self
            .level
            .is_none_or(|least| level.is_some_and(|level| level >= least));
        let fits = is_grave
            && is("trace_id", self.trace)
            && is("payment_id", self.payment)
            && is("request_id", self.request)
            && self.since.is_none_or(|since| published.at >= since);
        fits.then_some(Found { published, line })
    }
}
