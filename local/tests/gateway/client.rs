//! A client that sends exactly the bytes that a test says.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Whatever takes longer hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The lines of the head, without the first.
    pub(crate) headers: Vec<String>,
    pub(crate) body: String,
}

impl Answer {
    fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.get(9..12)?.parse().ok());
        Self {
            status: status.unwrap_or_else(|| panic!("no answer: {text:?}")),
            headers: lines.map(str::to_owned).collect(),
            body: body.to_owned(),
        }
    }

    /// The only header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter_map(|line| {
            let (of, value) = line.split_once(": ")?;
            of.eq_ignore_ascii_case(name).then_some(value)
        });
        let value = values.next();
        assert!(values.next().is_none(), "{name} twice: {:?}", self.headers);
        value
    }
}

pub(crate) async fn connect(port: u16) -> TcpStream {
    let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
    socket.await.unwrap()
}

/// Sends these bytes and reads until the gateway closes.
pub(crate) async fn send(port: u16, bytes: &[u8]) -> Answer {
    let exchange = async {
        let mut socket = connect(port).await;
        // The gateway may answer, and close, before it has read all.
        socket.write_all(bytes).await.ok();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.ok();
        Answer::read(&String::from_utf8_lossy(&answer))
    };
    let answer = tokio::time::timeout(PATIENCE, exchange).await;
    answer.expect("an answer in time")
}

/// One request, with more header lines and without a body.
pub(crate) async fn ask(port: u16, method: &str, path: &str, headers: &str) -> Answer {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n{headers}\r\n"
    );
    send(port, request.as_bytes()).await
}

pub(crate) async fn get(port: u16, path: &str) -> Answer {
    ask(port, "GET", path, "").await
}
