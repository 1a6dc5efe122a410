//! A connection to the broker, and as much of NATS' client protocol as reading and publishing take
//! (<https://docs.nats.io/reference/reference-protocols/nats-protocol>).
//!
//! The client library does the rest of our talking. Messages it can't do: it makes a map of each message's headers, which
//! was a third of what a request cost the ledger when it came, and a quarter when its answer went; and nats-server stores
//! header bytes on which the library drops its connection or panics, so that one message of a stranger's would stop every
//! reader. Here they are bytes until somebody looks.

use std::collections::VecDeque;
use std::time::Duration;

use async_nats::ServerAddr;
use bytes::{Buf as _, Bytes, BytesMut};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::Config;
use super::stored::text;

/// Longest line of the protocol: a subject, a reply subject and numbers. Source: nats-server's `max_control_line`.
const LINE_BYTES_MAX: usize = 64 * 1024;
const READ_BYTES: usize = 256 * 1024;

/// A connection that is logged in and subscribed to one inbox.
pub(super) struct Connection {
    socket: TcpStream,
    input: BytesMut,
    /// Not written yet.
    output: VecDeque<Bytes>,
    last_heard: Instant,
}

/// A message of the protocol.
pub(super) enum Operation {
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

impl Connection {
    /// Connects, logs in, and hears everything that is sent to `<inbox>.*`.
    pub(super) async fn open(config: &Config, inbox: &str) -> Result<Self, String> {
        let address: ServerAddr = config.url.parse().map_err(|error| format!("{error}"))?;
        let socket = TcpStream::connect((address.host(), address.port()))
            .await
            .map_err(|error| error.to_string())?;
        socket
            .set_nodelay(true)
            .map_err(|error| error.to_string())?;
        let mut this = Self {
            socket,
            input: BytesMut::with_capacity(READ_BYTES),
            output: VecDeque::new(),
            last_heard: Instant::now(),
        };
        let login = json!({
            "user": config.user, "pass": config.password, "name": config.user, "lang": "rust",
            "version": env!("CARGO_PKG_VERSION"), "protocol": 1, "verbose": false, "pedantic": false,
            "headers": true, "no_responders": true,
        });
        this.send(format!("CONNECT {login}\r\nSUB {inbox}.* 1\r\n"));
        Ok(this)
    }

    /// Puts bytes of the protocol behind those that are not written yet; [`Connection::operation`] writes them.
    pub(super) fn send(&mut self, bytes: impl Into<Bytes>) {
        self.output.push_back(bytes.into());
    }

    /// Whether all that was sent is written.
    pub(super) fn is_flushed(&self) -> bool {
        self.output.is_empty()
    }

    /// The next operation, once it is there as a whole; an error after `silence_max` without a byte. May be cancelled.
    pub(super) async fn operation(&mut self, silence_max: Duration) -> Result<Operation, String> {
        loop {
            while let Some(bytes) = self.output.front_mut() {
                let sent = self.socket.write_buf(bytes).await;
                sent.map_err(|error| error.to_string())?;
                if bytes.is_empty() {
                    self.output.pop_front();
                }
            }
            match self.parse()? {
                Some(Operation::Ping) => self.send("PONG\r\n"),
                Some(Operation::Error(error)) => return Err(error),
                Some(operation) => return Ok(operation),
                None => {
                    // Messages hold on to the buffer that they came in, so a new one is made only when this one is used up.
                    if self.input.capacity() - self.input.len() < READ_BYTES / 8 {
                        self.input.reserve(READ_BYTES);
                    }
                    let deadline = self.last_heard + silence_max;
                    let read = self.socket.read_buf(&mut self.input);
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
