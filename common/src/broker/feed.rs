//! The messages of one stream from some sequence on, as they come, on a connection of their own.

use std::time::Duration;

use async_nats::jetstream::{self, ErrorCode, response::Response};
use bytes::Bytes;
use chrono::DateTime;
use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

use super::config::{Config, DOMAIN, REQUEST_TIMEOUT};
use super::connection::{Connection, Operation, plain_message};
use super::consumer_names;
use crate::headers::{Headers, VERSION};
use crate::message::{Stored, text};

/// Messages asked for at a time; more are asked for when half of them have come.
const PULL_MESSAGES: usize = 1000;
/// Bytes of messages asked for at a time. At most two pulls are on their way: 32 MB, half of what the broker holds for a slow
/// reader before it disconnects it.
const PULL_BYTES: usize = 16 << 20;
/// A broker or a consumer that was lost is noticed after two missed heartbeats.
const HEARTBEAT: Duration = Duration::from_millis(500);
const SILENCE_MAX: Duration = Duration::from_millis(1200);
const PULL_EXPIRES: Duration = Duration::from_secs(10);
/// A reader that died leaves its consumer behind for so much longer than its last pull waits.
const CONSUMER_INACTIVE_MAX: Duration = Duration::from_secs(15);
/// Whoever has not pulled for this long makes another consumer: the broker may soon forget this one, and give its name to
/// somebody else. A reader that reads pulls more often.
const PULLED_AGO_MAX: Duration = Duration::from_secs(13);

/// The messages of a stream from some sequence on, as they come.
pub(super) struct Feed {
    connection: Connection,
    /// Whose consumers these are.
    user: String,
    /// Where messages are sent to.
    inbox: String,
    /// Where they are asked for.
    pull_subject: String,
    /// Asked for and not come yet.
    outstanding: usize,
    pulled_at: Instant,
    /// An empty message has come: across accounts nothing comes any more, heartbeats included.
    is_cut: bool,
}

impl Feed {
    /// Connects and makes a consumer, which goes by itself some time after this connection.
    pub(super) async fn open(config: &Config, stream: &str, from: u64) -> Result<Self, String> {
        let inbox = config.inbox(&Uuid::new_v4().simple().to_string());
        let opening = async {
            let mut this = Self {
                connection: Connection::open(config, &inbox).await?,
                user: config.user.clone(),
                inbox: format!("{inbox}.feed"),
                pull_subject: String::new(),
                outstanding: 0,
                pulled_at: Instant::now(),
                is_cut: false,
            };
            this.consume(stream, from).await?;
            Ok(this)
        };
        let opened = tokio::time::timeout(REQUEST_TIMEOUT, opening).await;
        opened.map_err(|_| "the broker does not answer".to_owned())?
    }

    /// Goes on with another consumer, after this one was cut.
    pub(super) async fn resume(&mut self, stream: &str, from: u64) -> Result<(), String> {
        let resumed = tokio::time::timeout(REQUEST_TIMEOUT, self.consume(stream, from)).await;
        resumed.map_err(|_| "the broker does not answer".to_owned())?
    }

    /// Makes a consumer that begins with message `from`, under the first name that is free.
    async fn consume(&mut self, stream: &str, from: u64) -> Result<(), String> {
        for name in consumer_names::to_try(&self.user, stream) {
            if self.make(&name, stream, from).await? {
                self.pull_subject = format!("$JS.{DOMAIN}.API.CONSUMER.MSG.NEXT.{stream}.{name}");
                self.outstanding = 0;
                self.pulled_at = Instant::now();
                self.is_cut = false;
                return Ok(());
            }
        }
        Err("every name of a consumer is taken, for some seconds at least".to_owned())
    }

    /// `false` when there is a consumer of this name.
    async fn make(&mut self, name: &str, stream: &str, from: u64) -> Result<bool, String> {
        let consumer = json!({
            "stream_name": stream,
            "action": "create",
            "config": {
                "name": name, "deliver_policy": "by_start_sequence", "opt_start_seq": from, "ack_policy": "none",
                "replay_policy": "instant", "mem_storage": true, "num_replicas": 1,
                "inactive_threshold": CONSUMER_INACTIVE_MAX.as_nanos(),
                // Two readers must never share one: a consumer is created again only if all of it is equal.
                "metadata": {"reader": Uuid::new_v4()},
            },
        });
        self.publish(
            &format!("$JS.{DOMAIN}.API.CONSUMER.CREATE.{stream}.{name}"),
            &self.inbox.clone(),
            &consumer,
        );
        loop {
            // With a reply subject it is a message of the stream, for the consumer before.
            if let Operation::Message {
                headers,
                payload,
                reply: None,
                ..
            } = self.connection.operation(SILENCE_MAX).await?
            {
                // 503: nobody answers for a stream of this name.
                self.heed(&headers)?;
                if payload.is_empty() {
                    continue;
                }
                let made: Response<jetstream::consumer::Info> =
                    serde_json::from_slice(&payload).map_err(|error| error.to_string())?;
                match made {
                    Response::Ok(_) => return Ok(true),
                    Response::Err { error }
                        if error.error_code() == ErrorCode::CONSUMER_ALREADY_EXISTS =>
                    {
                        return Ok(false);
                    }
                    Response::Err { error } => return Err(error.to_string()),
                }
            }
        }
    }

    /// The next message, and how many more the broker holds behind it. May be cancelled.
    pub(super) async fn next(&mut self) -> Result<(Stored, u64), String> {
        loop {
            if self.outstanding <= PULL_MESSAGES / 2 {
                self.pull()?;
            }
            if let Operation::Message {
                subject,
                reply,
                headers,
                payload,
            } = self.connection.operation(SILENCE_MAX).await?
            {
                match reply {
                    Some(reply) => {
                        self.outstanding = self.outstanding.saturating_sub(1);
                        // Across accounts, nats-server takes an empty message for the end of what was asked for.
                        self.is_cut |= headers.is_empty() && payload.is_empty();
                        return delivered(&subject, &reply, headers, payload);
                    }
                    None => self.heed(&headers)?,
                }
            }
        }
    }

    /// Whether the broker sends nothing any more, if the stream is another account's. A new feed goes on behind the last
    /// message.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    fn pull(&mut self) -> Result<(), String> {
        if self.pulled_at.elapsed() > PULLED_AGO_MAX {
            return Err("it was not read from for some seconds".to_owned());
        }
        let request = json!({
            "batch": PULL_MESSAGES,
            "max_bytes": PULL_BYTES,
            "expires": PULL_EXPIRES.as_nanos(),
            "idle_heartbeat": HEARTBEAT.as_nanos(),
        });
        self.publish(&self.pull_subject.clone(), &self.inbox.clone(), &request);
        self.outstanding += PULL_MESSAGES;
        self.pulled_at = Instant::now();
        Ok(())
    }

    /// What the broker says of a pull: that all is well (100), or that it is over, with so many messages not sent.
    fn heed(&mut self, block: &[u8]) -> Result<(), String> {
        if block.is_empty() {
            return Ok(());
        }
        let status = text(
            block
                .split(|byte| *byte == b'\r')
                .next()
                .unwrap_or_default(),
        );
        let status = status.trim_start_matches(VERSION).trim();
        if status.starts_with("100") {
            return Ok(());
        }
        let unsent = Headers::read(block)
            .and_then(|headers| headers.get("Nats-Pending-Messages")?.parse::<usize>().ok());
        match unsent {
            Some(unsent) => {
                self.outstanding = self.outstanding.saturating_sub(unsent);
                Ok(())
            }
            None => Err(format!("the consumer ended: {status}")),
        }
    }

    fn publish(&mut self, subject: &str, reply: &str, body: &serde_json::Value) {
        let body = body.to_string();
        self.connection.send(plain_message(subject, reply, &body));
    }
}

/// A stored message. The reply subject holds its place: `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream sequence>.
/// <consumer sequence>.<time>.<pending>`, with a domain and an account in front of the stream when there is a domain.
fn delivered(
    subject: &[u8],
    reply: &[u8],
    headers: Bytes,
    payload: Bytes,
) -> Result<(Stored, u64), String> {
    let reply = text(reply);
    let unreadable = || format!("the place of a message can't be read: {reply}");
    let tokens: Vec<&str> = reply
        .strip_prefix("$JS.ACK.")
        .ok_or_else(unreadable)?
        .split('.')
        .collect();
    let first = if tokens.len() >= 9 { 5 } else { 3 };
    let number = |place: usize| {
        let token = tokens
            .get(first + place)
            .and_then(|token| token.parse().ok());
        token.ok_or_else(unreadable)
    };
    let (sequence, nanoseconds, pending): (u64, u64, u64) = (number(0)?, number(2)?, number(3)?);
    let nanoseconds = i64::try_from(nanoseconds).map_err(|_| unreadable())?;
    let published_at = DateTime::from_timestamp_nanos(nanoseconds);
    let subject = text(subject).into_owned();
    let stored = Stored::new(sequence, published_at, subject, headers, payload);
    Ok((stored, pending))
}
