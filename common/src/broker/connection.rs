//! A connection to the broker, and as much of NATS' client protocol as reading and publishing take
//! (<https://docs.nats.io/reference/reference-protocols/nats-protocol>).
//!
//! The client library does the rest of our talking. Messages are ours for two reasons. The library makes a map of each
//! message's headers: a third of what reading a request cost the ledger, a quarter of what publishing its answer cost.
//! And nats-server stores header bytes on which the library drops its connection or panics: one such message would stop
//! every reader. Here headers are bytes until somebody looks.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::time::Duration;

use async_nats::ServerAddr;
use bytes::{Buf as _, Bytes, BytesMut};
use serde::Deserialize;
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::config::{Config, REQUEST_TIMEOUT};
use super::tls::{self, Layer};
use crate::headers::VERSION;
use crate::message::text;

/// Longest line of the protocol: a subject, a reply subject and numbers. Source: nats-server's `max_control_line`.
const LINE_BYTES_MAX: usize = 64 * 1024;
const READ_BYTES: usize = 256 * 1024;
/// The number of a connection's only subscription.
const SUBSCRIPTION: u8 = 1;

/// A connection that is logged in and subscribed to one subject.
pub(super) struct Connection {
    socket: TcpStream,
    /// Between the socket and all that follows, if the connection has TLS.
    tls: Option<Box<Layer>>,
    input: BytesMut,
    /// Not written yet; with TLS, as the socket carries it.
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
    /// The server's greeting, and whenever its cluster changes; `None` if it can't be read.
    Info(Option<ServerInfo>),
    Error(String),
    Ping,
    Pong,
    /// Nothing that is for us.
    Other,
}

/// What the server says of itself; what it does not say is not so.
#[derive(Deserialize)]
pub(super) struct ServerInfo {
    #[serde(default)]
    tls_required: bool,
    #[serde(default)]
    tls_available: bool,
}

impl Connection {
    /// Connects, logs in, and hears everything that is sent to `<inbox>.*`. From then on, only messages can be refused.
    pub(super) async fn open(config: &Config, inbox: &str) -> Result<Self, String> {
        Self::open_for(config, &format!("{inbox}.*")).await
    }

    /// As [`Connection::open`], for one of several processes that share what is sent to `subject`: the members of `group`.
    pub(super) async fn open_shared(
        config: &Config,
        subject: &str,
        group: &str,
    ) -> Result<Self, String> {
        Self::open_for(config, &format!("{subject} {group}")).await
    }

    async fn open_for(config: &Config, subscribed: &str) -> Result<Self, String> {
        let address: ServerAddr = config.url.parse().map_err(|error| format!("{error}"))?;
        let socket = TcpStream::connect((address.host(), address.port()))
            .await
            .map_err(|error| error.to_string())?;
        socket
            .set_nodelay(true)
            .map_err(|error| error.to_string())?;
        let mut this = Self {
            socket,
            tls: None,
            input: BytesMut::with_capacity(READ_BYTES),
            output: VecDeque::new(),
            last_heard: Instant::now(),
        };
        // The greeting comes first: a server that asks for TLS never gets our password without.
        let server = loop {
            if let Operation::Info(server) = this.operation(REQUEST_TIMEOUT).await? {
                // It might have asked for TLS.
                break server.ok_or("the broker's greeting can't be read")?;
            }
        };
        let is_tls = server.tls_required || config.demands_tls();
        if is_tls {
            this.secure(config, &address, &server).await?;
        }
        let login = json!({
            "user": config.user, "pass": config.password, "name": config.user, "lang": "rust",
            "version": env!("CARGO_PKG_VERSION"), "protocol": 1, "verbose": false, "pedantic": false,
            "headers": true, "no_responders": true, "tls_required": is_tls,
        });
        this.send(format!(
            "CONNECT {login}\r\nSUB {subscribed} {SUBSCRIPTION}\r\nPING\r\n"
        ));
        while !matches!(this.operation(REQUEST_TIMEOUT).await?, Operation::Pong) {}
        Ok(this)
    }

    /// From here on everything is encrypted, and the server is who it should be.
    async fn secure(
        &mut self,
        config: &Config,
        address: &ServerAddr,
        server: &ServerInfo,
    ) -> Result<(), String> {
        if !server.tls_required && !server.tls_available {
            return Err("TLS is demanded, and the broker has none".to_owned());
        }
        // Somebody on the way could have put it there, and it would count as said by the server.
        if !self.input.is_empty() {
            return Err("the broker said more than its greeting without TLS".to_owned());
        }
        let trust = tls::client_config(config.ca.clone()).await?;
        let mut layer = Layer::new(trust, address.host())?;
        self.output.push_back(layer.take_output());
        let layer = self.tls.insert(Box::new(layer));
        let mut is_handshaking = layer.is_handshaking();
        while is_handshaking {
            self.write_now()?;
            self.receive(REQUEST_TIMEOUT).await?;
            is_handshaking = self.tls.as_ref().is_some_and(|tls| tls.is_handshaking());
        }
        Ok(())
    }

    /// Asks the broker to send no more messages. What it sent before comes in front of the [`Operation::Pong`] to this.
    pub(super) fn leave(&mut self) {
        self.send(format!("UNSUB {SUBSCRIPTION}\r\nPING\r\n"));
    }

    /// Puts bytes of the protocol behind those that are not written yet; [`Connection::operation`] writes them.
    pub(super) fn send(&mut self, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        let bytes = match &mut self.tls {
            None => bytes,
            Some(tls) => tls.seal(&bytes),
        };
        self.output.push_back(bytes);
    }

    /// Whether all that was sent is written.
    pub(super) fn is_flushed(&self) -> bool {
        self.output.is_empty()
    }

    /// When the broker last sent anything.
    pub(super) fn last_heard(&self) -> Instant {
        self.last_heard
    }

    /// The next whole operation; an error after `silence_max` without a byte. Meanwhile it writes, and returns
    /// [`Operation::Other`] once all is written. May be cancelled.
    pub(super) async fn operation(&mut self, silence_max: Duration) -> Result<Operation, String> {
        loop {
            if self.write_now()? {
                return Ok(Operation::Other);
            }
            match self.parse()? {
                Some(Operation::Ping) => {
                    self.send("PONG\r\n");
                    continue;
                }
                // Even an error after which the broker would go on: it does not say which message it is about.
                Some(Operation::Error(error)) => return Err(error),
                Some(operation) => return Ok(operation),
                None => {}
            }
            self.receive(silence_max).await?;
        }
    }

    /// Waits for bytes, and reads them, or until the socket takes some of those that are not written. May be cancelled.
    async fn receive(&mut self, silence_max: Duration) -> Result<(), String> {
        // Messages hold on to the buffer that they came in, so a new one is made only when this one is used up.
        if self.input.capacity() - self.input.len() < READ_BYTES / 8 {
            self.input.reserve(READ_BYTES);
        }
        let is_flushed = self.is_flushed();
        let deadline = self.last_heard + silence_max;
        let (mut reader, writer) = self.socket.split();
        let input = match &mut self.tls {
            None => &mut self.input,
            Some(tls) => tls.room(),
        };
        tokio::select! {
            read = tokio::time::timeout_at(deadline, reader.read_buf(input)) => {
                let read = read.map_err(|_| "the broker is silent".to_owned())?;
                if read.map_err(|error| error.to_string())? == 0 {
                    return Err("the broker closed the connection".to_owned());
                }
                self.last_heard = Instant::now();
                self.open_received()
            }
            writable = writer.writable(), if !is_flushed => {
                writable.map_err(|error| error.to_string())
            }
        }
    }

    fn open_received(&mut self) -> Result<(), String> {
        let Some(tls) = &mut self.tls else {
            return Ok(());
        };
        let opened = tls.open(&mut self.input);
        let output = tls.take_output();
        if !output.is_empty() {
            self.output.push_back(output);
        }
        if opened.is_err() {
            // The server may hear why, for its log; the connection ends anyway.
            self.write_now().ok();
        }
        opened
    }

    /// Writes what the socket takes now; `true` when that was the rest.
    fn write_now(&mut self) -> Result<bool, String> {
        let mut has_written = false;
        while let Some(bytes) = self.output.front_mut() {
            match self.socket.try_write(bytes) {
                Ok(count) => bytes.advance(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error.to_string()),
            }
            if bytes.is_empty() {
                self.output.pop_front();
                has_written = true;
            }
        }
        Ok(has_written)
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
                    b"PONG" => Operation::Pong,
                    b"INFO" => Operation::Info(server_info(line)),
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

fn server_info(line: &[u8]) -> Option<ServerInfo> {
    let start = line.iter().position(|byte| *byte == b'{')?;
    serde_json::from_slice(&line[start..]).ok()
}

/// A message without headers, as the protocol has it.
pub(super) fn plain_message(subject: &str, reply: &str, body: &str) -> String {
    let length = body.len();
    format!("PUB {subject} {reply} {length}\r\n{body}\r\n")
}

/// Appends an answer, which nobody answers again, as the protocol has it.
pub(super) fn encode_answer(bytes: &mut Vec<u8>, subject: &[u8], body: &[u8]) {
    bytes.extend_from_slice(b"PUB ");
    bytes.extend_from_slice(subject);
    bytes.extend_from_slice(format!(" {}\r\n", body.len()).as_bytes());
    bytes.extend_from_slice(body);
    bytes.extend_from_slice(b"\r\n");
}

/// Appends a message as the protocol has it; `lines` are parts of its headers, each line with its end.
pub(super) fn encode_message(
    bytes: &mut Vec<u8>,
    subject: &str,
    reply: Option<&str>,
    lines: [&str; 2],
    payload: &[u8],
) {
    assert!(
        !subject.is_empty() && !subject.contains(|c: char| c.is_ascii_whitespace()),
        "the subject is {subject:?}"
    );
    let headers_length = headers_length(lines);
    let length = headers_length + payload.len();
    let (reply, blank) = reply.map_or(("", ""), |reply| (reply, " "));
    let line = format!("HPUB {subject} {reply}{blank}{headers_length} {length}\r\n");
    let [first, second] = lines;
    for part in [&line, VERSION, "\r\n", first, second, "\r\n"] {
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes.extend_from_slice(payload);
    bytes.extend_from_slice(b"\r\n");
}

/// Bytes of the header block that these lines make.
pub(super) fn headers_length(lines: [&str; 2]) -> usize {
    let ends = VERSION.len() + 2 * b"\r\n".len();
    ends + lines[0].len() + lines[1].len()
}
