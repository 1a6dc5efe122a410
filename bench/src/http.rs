//! A client for HTTP/1.1 that costs next to nothing: the load generator shares its two cores with what it measures.
//!
//! It supports what our services need: one request at a time on a connection, answers with a length.

use std::net::IpAddr;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

/// The largest answer that is read, far beyond any of ours.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// A connection to one service, kept alive.
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    /// To `http://host:port`.
    pub(crate) async fn open(url: &str) -> Result<Self> {
        let address = url.strip_prefix("http://").unwrap_or(url);
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("{address} does not answer"))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            received: Vec::with_capacity(4096),
        })
    }

    /// The same, from one of this machine's own addresses.
    pub(crate) async fn open_from(url: &str, from: IpAddr) -> Result<Self> {
        let address = url.strip_prefix("http://").unwrap_or(url);
        let socket = TcpSocket::new_v4()?;
        socket.bind((from, 0).into())?;
        let stream = socket.connect(address.parse()?).await;
        let stream = stream.with_context(|| format!("{address} does not answer to {from}"))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            received: Vec::with_capacity(4096),
        })
    }

    /// Sends a whole request, see [`request`], and returns status and body of its answer.
    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<(u16, Vec<u8>)> {
        self.stream.write_all(request).await?;
        self.received.clear();
        let head = loop {
            if let Some(end) = find(&self.received, b"\r\n\r\n") {
                break end;
            }
            self.receive().await?;
        };
        let text = std::str::from_utf8(&self.received[..head]).context("no HTTP")?;
        let status = text.get(9..12).and_then(|status| status.parse().ok());
        let status = status.with_context(|| format!("no status in {text:?}"))?;
        let length = text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse::<usize>().ok())?
        });
        let body = head + 4;
        let end = body + length.unwrap_or(0);
        ensure!(end <= ANSWER_BYTES_MAX, "an answer of {end} bytes");
        while self.received.len() < end {
            self.receive().await?;
        }
        Ok((status, self.received[body..end].to_vec()))
    }

    /// The same for an answer in JSON that must be a success.
    pub(crate) async fn send_json(&mut self, request: &[u8]) -> Result<Value> {
        let (status, body) = self.send(request).await?;
        ensure!(
            (200..300).contains(&status),
            "{status}: {}",
            String::from_utf8_lossy(&body)
        );
        serde_json::from_slice(&body).context("no JSON")
    }

    async fn receive(&mut self) -> Result<()> {
        let count = self.stream.read_buf(&mut self.received).await?;
        ensure!(count > 0, "the service closed the connection");
        Ok(())
    }
}

/// A `POST` request as bytes; `headers` are lines that end with `\r\n`.
pub(crate) fn post(url: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let host = url.strip_prefix("http://").unwrap_or(url);
    let length = body.len();
    let mut bytes = format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\n{headers}content-length: {length}\r\n\r\n"
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// The same with a form, whose values need no encoding.
pub(crate) fn post_form(url: &str, path: &str, form: &str) -> Vec<u8> {
    let urlencoded = "content-type: application/x-www-form-urlencoded\r\n";
    post(url, path, urlencoded, form.as_bytes())
}

/// The same for `GET`.
pub(crate) fn get(url: &str, path: &str) -> Vec<u8> {
    let host = url.strip_prefix("http://").unwrap_or(url);
    format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n").into_bytes()
}

/// The same with a token.
pub(crate) fn get_as(url: &str, path: &str, token: &str) -> Vec<u8> {
    let host = url.strip_prefix("http://").unwrap_or(url);
    format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\r\n")
        .into_bytes()
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len())
        .position(|window| window == wanted)
}
