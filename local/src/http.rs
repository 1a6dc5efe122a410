//! The one HTTP question asked here: is it ready?

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::ports::loopback;

/// Long enough for a busy machine, short enough to ask again.
const TIMEOUT: Duration = Duration::from_secs(2);

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
