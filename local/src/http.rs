//! The HTTP questions asked here: is it ready, and if not, why?

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::ports::loopback;

/// Bytes of an answer that are read.
const ANSWER_MAX: u64 = 64 * 1024;
/// Long enough for a busy machine, short enough to ask again.
const TIMEOUT: Duration = Duration::from_secs(2);

/// What is wrong, as `GET path` on this loopback port says it with another status than 200; `None` when it says nothing.
pub(crate) async fn complaint(port: u16, path: &str) -> Option<String> {
    let ask = async {
        let mut stream = TcpStream::connect(loopback(port)).await?;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.take(ANSWER_MAX).read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    let answer = tokio::time::timeout(TIMEOUT, ask).await.ok()?.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let is_ok = head.starts_with("HTTP/1.1 200");
    (!is_ok).then(|| body.trim().to_owned())
}

/// Is a server there that speaks HTTP, be it that it wants TLS first?
pub(crate) async fn is_there(port: u16) -> bool {
    let path = "/health/live";
    says_ok(port, path).await || complaint(port, path).await.is_some()
}

/// Does `GET path` on this loopback port answer 200?
pub(crate) async fn says_ok(port: u16, path: &str) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(loopback(port)).await?;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut start = [0; 12];
        stream.read_exact(&mut start).await?;
        std::io::Result::Ok(start)
    };
    matches!(tokio::time::timeout(TIMEOUT, ask).await, Ok(Ok(start)) if start == *b"HTTP/1.1 200")
}
