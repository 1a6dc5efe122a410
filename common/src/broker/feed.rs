//! A connection that pulls the messages of one stream and does nothing else: as much of NATS' client protocol as that
//! takes (<https://docs.nats.io/reference/reference-protocols/nats-protocol>).
//!
//! The client library does the rest of our talking. It can't do this: it makes a map of each message's headers, which
//! was a third of what a request cost the ledger; and nats-server stores header bytes on which it drops its connection or
//! panics, so that one message of a stranger's would stop every reader. Here they are bytes until somebody looks.

use std::time::Duration;

use async_nats::ServerAddr;
use async_nats::jetstream::{self, response::Response};
use bytes::{Buf as _, Bytes, BytesMut};
use chrono::DateTime;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::headers::{Headers, VERSION};
use super::stored::{Stored, text};
use super::{Config, DOMAIN, REQUEST_TIMEOUT};

/// Messages asked for at a time; more are asked for when half of them have come. So at most 1500 are on their way: of the
/// largest size, 60 MB, which is less than the broker holds for a slow reader before it disconnects it.
const PULL_MESSAGES: usize = 1000;
/// A broker or a consumer that was lost is noticed after two missed heartbeats.
const HEARTBEAT: Duration = Duration::from_millis(500);
const SILENCE_MAX: Duration = Duration::from_millis(1200);
const PULL_EXPIRES: Duration = Duration::from_secs(10);
/// A reader that died leaves its consumer behind for no longer than this.
const CONSUMER_INACTIVE_MAX: Duration = Duration::from_secs(30);
/// Longest line of the protocol: a subject, a reply subject and numbers. Source: nats-server's `max_control_line`.
const LINE_BYTES_MAX: usize = 64 * 1024;
const READ_BYTES: usize = 256 * 1024;

/// The messages of a stream from some sequence on, as they come.
pub(super) struct Feed {
    connection: TcpStream,
    input: BytesMut,
    output: BytesMut,
    /// Where messages are sent to.
    inbox: String,
    /// Where they are asked for.
    pull_subject: String,
    /// Asked for and not come yet.
    outstanding: usize,
    last_heard: Instant,
}

/// A message of the protocol.
enum Operation {
    /// Without a reply subject it is the broker's own.
    Message {
        subject: Bytes,
        reply: Option<Bytes>,
        headers: Bytes,
        payload: Bytes,
    },
    Error(String),
    Ping,
    /// Nothing that is for us.
    Other,
}

impl Feed {
    /// Connects and makes a consumer, which goes by itself some time after this connection.
    pub(super) async fn open(config: &Config, stream: &str, from: u64) -> Result<Self, String> {
        tokio::time::timeout(REQUEST_TIMEOUT, Self::open_at(config, stream, from))
            .await
            .map_err(|_| "the broker does not answer".to_owned())?
    }

    async fn open_at(config: &Config, stream: &str, from: u64) -> Result<Self, String> {
        let address: ServerAddr = config.url.parse().map_err(|error| format!("{error}"))?;
        let connection = TcpStream::connect((address.host(), address.port()))
            .await
            .map_err(|error| error.to_string())?;
        connection
            .set_nodelay(true)
            .map_err(|error| error.to_string())?;
        let name = uuid::Uuid::new_v4().simple().to_string();
        let inbox = format!("_INBOX_{}.{name}", config.user);
        let mut this = Self {
            connection,
            input: BytesMut::with_capacity(READ_BYTES),
            output: BytesMut::new(),
            inbox: format!("{inbox}.feed"),
            pull_subject: format!("$JS.{DOMAIN}.API.CONSUMER.MSG.NEXT.{stream}.{name}"),
            outstanding: 0,
            last_heard: Instant::now(),
        };
        let login = json!({
            "user": config.user, "pass": config.password, "name": config.user, "lang": "rust",
            "version": env!("CARGO_PKG_VERSION"), "protocol": 1, "verbose": false, "pedantic": false,
            "headers": true, "no_responders": true,
        });
        let consumer = json!({
            "stream_name": stream,
            "action": "create",
            "config": {
                "name": name, "deliver_policy": "by_start_sequence", "opt_start_seq": from, "ack_policy": "none",
                "replay_policy": "instant", "mem_storage": true, "num_replicas": 1,
                "inactive_threshold": CONSUMER_INACTIVE_MAX.as_nanos(),
            },
        });
        this.send(format!("CONNECT {login}\r\nSUB {inbox}.* 1\r\n").as_bytes());
        this.publish(
            &format!("$JS.{DOMAIN}.API.CONSUMER.CREATE.{stream}.{name}"),
            &format!("{inbox}.made"),
            &consumer,
        );
        loop {
            if let Operation::Message {
                headers, payload, ..
            } = this.operation().await?
            {
                // 503: nobody answers for a stream of this name.
                this.heed(&headers)?;
                let made: Response<jetstream::consumer::Info> =
                    serde_json::from_slice(&payload).map_err(|error| error.to_string())?;
                match made {
                    Response::Ok(_) => return Ok(this),
                    Response::Err { error } => return Err(error.to_string()),
                }
            }
        }
    }

    /// The next message, and how many more the broker holds behind it. May be cancelled.
    pub(super) async fn next(&mut self) -> Result<(Stored, u64), String> {
        loop {
            if self.outstanding <= PULL_MESSAGES / 2 {
                self.pull();
            }
            if let Operation::Message {
                subject,
                reply,
                headers,
                payload,
            } = self.operation().await?
            {
                match reply {
                    Some(reply) => {
                        self.outstanding = self.outstanding.saturating_sub(1);
                        return delivered(&subject, &reply, headers, payload);
                    }
                    None => self.heed(&headers)?,
                }
            }
        }
    }

    fn pull(&mut self) {
        let request = json!({
            "batch": PULL_MESSAGES,
            "expires": PULL_EXPIRES.as_nanos(),
            "idle_heartbeat": HEARTBEAT.as_nanos(),
        });
        self.publish(&self.pull_subject.clone(), &self.inbox.clone(), &request);
        self.outstanding += PULL_MESSAGES;
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
        let length = body.len();
        self.send(format!("PUB {subject} {reply} {length}\r\n{body}\r\n").as_bytes());
    }

    fn send(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
    }

    /// The next operation, once it is there as a whole.
    async fn operation(&mut self) -> Result<Operation, String> {
        loop {
            while !self.output.is_empty() {
                let sent = self.connection.write_buf(&mut self.output).await;
                sent.map_err(|error| error.to_string())?;
            }
            match self.parse()? {
                Some(Operation::Ping) => self.send(b"PONG\r\n"),
                Some(Operation::Error(error)) => return Err(error),
                Some(operation) => return Ok(operation),
                None => {
                    // Messages hold on to the buffer that they came in, so a new one is made only when this one is used up.
                    if self.input.capacity() - self.input.len() < READ_BYTES / 8 {
                        self.input.reserve(READ_BYTES);
                    }
                    let deadline = self.last_heard + SILENCE_MAX;
                    let read = self.connection.read_buf(&mut self.input);
                    let read = tokio::time::timeout_at(deadline, read)
                        .await
                        .map_err(|_| "the broker is silent".to_owned())?;
                    if read.map_err(|error| error.to_string())? == 0 {
                        return Err("the broker closed the connection".to_owned());
                    }
                    self.last_heard = Instant::now();
                }
            }
        }
    }

    /// Takes one operation off the input, if it is there as a whole.
    fn parse(&mut self) -> Result<Option<Operation>, String> {
        let Some(end) = self.input.iter().position(|byte| *byte == b'\n') else {
            if self.input.len() > LINE_BYTES_MAX {
                return Err("the broker speaks another protocol".to_owned());
            }
            return Ok(None);
        };
        let line = &self.input[..end];
        // Exactly the server's blanks: a subject may hold any other byte.
        let mut words = line
            .split(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
            .filter(|word| !word.is_empty());
        let is_with_headers = match words.next().unwrap_or_default() {
            b"HMSG" => true,
            b"MSG" => false,
            word => {
                let operation = match word {
                    b"PING" => Operation::Ping,
                    b"-ERR" => Operation::Error(text(line).trim().to_owned()),
                    _ => Operation::Other,
                };
                self.input.advance(end + 1);
                return Ok(Some(operation));
            }
        };
        let unreadable = || format!("a line of the broker can't be read: {}", text(line));
        let words: Vec<&[u8]> = words.collect();
        let number = |place: usize| {
            let word = words.get(place).copied().unwrap_or_default();
            text(word).parse::<usize>().map_err(|_| unreadable())
        };
        // MSG <subject> <sid> [reply] <bytes>, HMSG <subject> <sid> [reply] <header bytes> <all bytes>
        let (numbers, headers_length) = if is_with_headers {
            (2, number(words.len().wrapping_sub(2))?)
        } else {
            (1, 0)
        };
        let length = number(words.len().wrapping_sub(1))?;
        let has_reply = match words.len().wrapping_sub(numbers) {
            2 => false,
            3 => true,
            _ => return Err(unreadable()),
        };
        if headers_length > length {
            return Err(unreadable());
        }
        let whole = end + 1 + length + b"\r\n".len();
        if self.input.len() < whole {
            self.input.reserve(whole - self.input.len());
            return Ok(None);
        }
        let place = |word: &[u8]| {
            let start = word.as_ptr().addr() - line.as_ptr().addr();
            start..start + word.len()
        };
        let (subject, reply) = (place(words[0]), has_reply.then(|| place(words[2])));
        let message = self.input.split_to(whole).freeze();
        let body = end + 1..end + 1 + length;
        Ok(Some(Operation::Message {
            subject: message.slice(subject),
            reply: reply.map(|reply| message.slice(reply)),
            headers: message.slice(body.start..body.start + headers_length),
            payload: message.slice(body.start + headers_length..body.end),
        }))
    }
}

/// A stored message; the reply subject tells its place: `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream sequence>.
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
