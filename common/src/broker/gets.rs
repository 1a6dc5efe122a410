//! The messages of a stream, got by their sequences: slower to hear of new ones than a consumer, and a way to read that can
//! change nothing. (Whoever may make a consumer may change and delete everybody's.)

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

use super::config::{Config, DOMAIN, REQUEST_TIMEOUT};
use super::connection::{Connection, Operation, plain_message};
use crate::headers::Headers;
use crate::message::{Stored, text};

/// Messages got at a time.
const BATCH: u64 = 1000;
/// Bytes got at a time: a quarter of what the broker holds for a slow reader before it disconnects it.
const BATCH_BYTES: usize = 16 << 20;
/// Between two looks at a stream that had nothing new.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// The server answers at once.
const SILENCE_MAX: Duration = REQUEST_TIMEOUT;
/// What the server puts behind a stored message's own headers begins with this one.
/// Source: `getDirectRequest` in nats-server's `stream.go`.
const FIRST_ADDED: &[u8] = b"\r\nNats-Stream: ";

/// The messages of a stream from some sequence on.
///
/// The server adds headers of its own; without them, headers are as they are stored if they end with an empty line. So do
/// all that we write, in SETTLEMENTS.
pub(super) struct Gets {
    connection: Connection,
    inbox: String,
    subject: String,
    next: u64,
    /// Messages that were asked for may still come.
    is_asked: bool,
    /// How many more the stream held behind the last message.
    pending: u64,
    /// Nothing new is expected before.
    rest_until: Option<Instant>,
}

impl Gets {
    pub(super) async fn open(config: &Config, stream: &str, from: u64) -> Result<Self, String> {
        let inbox = config.inbox(&Uuid::new_v4().simple().to_string());
        let opening = Connection::open(config, &inbox);
        let opened = tokio::time::timeout(REQUEST_TIMEOUT, opening).await;
        Ok(Self {
            connection: opened.map_err(|_| "the broker does not answer".to_owned())??,
            inbox: format!("{inbox}.got"),
            subject: format!("$JS.{DOMAIN}.API.DIRECT.GET.{stream}"),
            next: from,
            is_asked: false,
            pending: 0,
            rest_until: None,
        })
    }

    /// The next message, and how many more the stream holds behind it. May be cancelled.
    pub(super) async fn next(&mut self) -> Result<(Stored, u64), String> {
        loop {
            if let Some(rest_until) = self.rest_until {
                tokio::time::sleep_until(rest_until).await;
                self.rest_until = None;
            }
            if !self.is_asked {
                let wanted =
                    json!({"seq": self.next, "batch": BATCH, "max_bytes": BATCH_BYTES}).to_string();
                let message = plain_message(&self.subject, &self.inbox, &wanted);
                self.connection.send(message);
                self.is_asked = true;
            }
            let Operation::Message {
                headers, payload, ..
            } = self.connection.operation(SILENCE_MAX).await?
            else {
                continue;
            };
            match status(&headers) {
                None => {
                    let (stored, pending) = got(&headers, payload)?;
                    self.next = stored.sequence + 1;
                    self.pending = pending;
                    return Ok((stored, pending));
                }
                // The end of what was asked for, or nothing was there.
                Some("204" | "404") => {
                    self.is_asked = false;
                    if std::mem::take(&mut self.pending) == 0 {
                        self.rest_until = Some(Instant::now() + LOOK_AGAIN);
                    }
                }
                Some(status) => return Err(format!("the stream can't be read: {status}")),
            }
        }
    }
}

/// The status of a message that is the server's own.
fn status(block: &[u8]) -> Option<&str> {
    let line = block.split(|byte| *byte == b'\r').next()?;
    let status = std::str::from_utf8(line).ok()?.strip_prefix("NATS/1.0 ")?;
    status.split(' ').next()
}

fn got(block: &Bytes, payload: Bytes) -> Result<(Stored, u64), String> {
    let unreadable = || format!("a message can't be read: {}", text(block));
    let all = Headers::read(block).ok_or_else(unreadable)?;
    let last = |name: &str| all.get_all(name).last().ok_or_else(unreadable);
    let number = |name: &str| last(name)?.parse::<u64>().map_err(|_| unreadable());
    let added = memchr::memmem::rfind(block, FIRST_ADDED).ok_or_else(unreadable)?;
    // Without headers of its own there is only the first line.
    let own = match &block[..added] {
        b"NATS/1.0" => Bytes::new(),
        own => [own, b"\r\n\r\n"].concat().into(),
    };
    let published_at = DateTime::parse_from_rfc3339(last("Nats-Time-Stamp")?);
    let stored = Stored::new(
        number("Nats-Sequence")?,
        published_at.map_err(|_| unreadable())?.with_timezone(&Utc),
        last("Nats-Subject")?.to_owned(),
        own,
        payload,
    );
    Ok((stored, number("Nats-Num-Pending")?))
}
