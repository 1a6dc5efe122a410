//! The stream LOGS: what services log, a message each line, under `log.<service>`.
//!
//! It is bounded by size and age, and the oldest lines go first. It is no part of the books: the broker acknowledges a line
//! before it is on the disk, so that lines cost payments no fsync.
//!
//! It is read by sequence, with the broker's direct gets: a reader makes no consumer and can change nothing.

use std::time::Duration;

use async_nats::jetstream::{self, context, stream};
use async_nats::{Client, Message};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use serde_json::json;

use super::config::REQUEST_TIMEOUT;
use crate::wire::LOGS;

/// Some hundred thousand lines: days of a bank that is well, minutes of a busy one that logs each payment.
const BYTES_MAX: i64 = 256 * 1024 * 1024;
/// Older lines help nobody who looks for a fault, and may name people.
const AGE_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// A line is 8 KiB at most (`service/logging/line.rs`).
const MESSAGE_BYTES_MAX: i32 = 16 * 1024;
/// How long the broker knows the id of a line: one that was sent again because nobody acknowledged it is stored once.
/// Sending waits 5 s for that, so only an outage stores a line twice; each id that is known costs the broker memory.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(15);
/// Lines asked for at a time.
const BATCH_MAX: u64 = 500;

/// Where a service publishes its lines.
#[must_use]
pub fn log_subject(service: &str) -> String {
    format!("log.{service}")
}

/// A line as the stream holds it.
#[derive(Debug, Clone)]
pub struct Published {
    /// Its place in the stream.
    pub sequence: u64,
    /// When the broker got it.
    pub at: DateTime<Utc>,
    /// Who published it: the broker lets each service publish under its own name only.
    pub service: String,
    /// JSON, if a service wrote it as it should.
    pub line: Bytes,
}

/// Why lines can't be read.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// The stream can't be made, or does not answer.
    #[error("the stream LOGS does not answer: {0}")]
    Silent(String),
    /// The broker answers something else.
    #[error("the stream LOGS can't be read: {0}")]
    Refused(String),
}

/// The stream, for the service that makes and reads it.
#[derive(Debug, Clone)]
pub struct Logs {
    client: Client,
}

impl Logs {
    /// Over this connection, which is logged in to the account of the stream.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Makes the stream, or brings its settings up to date.
    ///
    /// # Errors
    /// When the broker refuses or does not answer.
    pub async fn ensure(&self) -> Result<(), context::CreateStreamError> {
        let jetstream = jetstream::new(self.client.clone());
        jetstream.create_or_update_stream(config()).await.map(drop)
    }

    /// The sequences of the first and the last line that are kept; the last is before the first where there is none.
    ///
    /// # Errors
    /// [`LogsError`].
    pub async fn bounds(&self) -> Result<(u64, u64), LogsError> {
        let jetstream = jetstream::new(self.client.clone());
        let stream = jetstream.get_stream(LOGS).await;
        let stream = stream.map_err(|error| LogsError::Silent(error.to_string()))?;
        let state = &stream.cached_info().state;
        // A stream that never had a line has neither.
        Ok((state.first_sequence.max(1), state.last_sequence))
    }

    /// The lines from one sequence up to another, both included, in order. Those that are not kept any more are missing.
    ///
    /// # Errors
    /// [`LogsError`].
    pub async fn between(&self, first: u64, last: u64) -> Result<Vec<Published>, LogsError> {
        let mut all: Vec<Published> = Vec::new();
        let mut next = first;
        while next <= last {
            let got = self.get(next, (last - next + 1).min(BATCH_MAX)).await?;
            let Some(end) = got.last().map(|line| line.sequence) else {
                break;
            };
            all.extend(got.into_iter().filter(|line| line.sequence <= last));
            next = end + 1;
        }
        Ok(all)
    }

    async fn get(&self, first: u64, count: u64) -> Result<Vec<Published>, LogsError> {
        let silent = |error: &dyn std::fmt::Display| LogsError::Silent(error.to_string());
        let inbox = self.client.new_inbox();
        let subscribed = self.client.subscribe(inbox.clone()).await;
        let mut answers = subscribed.map_err(|error| silent(&error))?;
        let wanted = json!({"seq": first, "batch": count}).to_string();
        let subject = format!("$JS.API.DIRECT.GET.{LOGS}");
        let asked = self
            .client
            .publish_with_reply(subject, inbox, wanted.into());
        asked.await.map_err(|error| silent(&error))?;
        let mut lines = Vec::new();
        loop {
            let answer = tokio::time::timeout(REQUEST_TIMEOUT, answers.next()).await;
            let answer = answer.map_err(|error| silent(&error))?;
            let answer = answer.ok_or_else(|| silent(&"the connection has ended"))?;
            match answer.status {
                None => lines.push(published(answer)?),
                // The end of what was asked for, or nothing is there.
                Some(status) if matches!(status.as_u16(), 204 | 404) => return Ok(lines),
                Some(status) => return Err(LogsError::Refused(status.to_string())),
            }
        }
    }
}

fn published(message: Message) -> Result<Published, LogsError> {
    let headers = message.headers.unwrap_or_default();
    let header = |name| headers.get(name).map(async_nats::HeaderValue::as_str);
    let at = header("Nats-Time-Stamp").and_then(|at| DateTime::parse_from_rfc3339(at).ok());
    let sequence = header("Nats-Sequence").and_then(|sequence| sequence.parse().ok());
    let service = header("Nats-Subject").and_then(|subject| subject.strip_prefix("log."));
    let (Some(at), Some(sequence), Some(service)) = (at, sequence, service) else {
        return Err(LogsError::Refused(
            "a line says not where it stands".to_owned(),
        ));
    };
    Ok(Published {
        sequence,
        at: at.to_utc(),
        service: service.to_owned(),
        line: message.payload,
    })
}

fn config() -> stream::Config {
    stream::Config {
        name: LOGS.to_owned(),
        subjects: vec![log_subject("*")],
        storage: stream::StorageType::File,
        persist_mode: Some(stream::PersistenceMode::Async),
        retention: stream::RetentionPolicy::Limits,
        discard: stream::DiscardPolicy::Old,
        max_bytes: BYTES_MAX,
        max_age: AGE_MAX,
        max_message_size: MESSAGE_BYTES_MAX,
        duplicate_window: DUPLICATE_WINDOW,
        deny_delete: true,
        allow_direct: true,
        ..stream::Config::default()
    }
}
