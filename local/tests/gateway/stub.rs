//! What is behind the gateway in these tests: it notes what it was asked, and answers as the path says.
//!
//! No service of ours has a stream of events yet, so `/events` here stands for theirs.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A running stub. It ends with its test.
pub(crate) struct Stub {
    pub(crate) port: u16,
    /// The heads of all requests.
    heads: Arc<Mutex<Vec<String>>>,
    /// How many connections there were.
    pub(crate) connections: Arc<AtomicUsize>,
    /// Each number that is sent here is sent to every stream.
    pub(crate) events: watch::Sender<u64>,
}

impl Stub {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (events, receiver) = watch::channel(0);
        let noted = heads.clone();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(socket, noted.clone(), receiver.clone()));
            }
        });
        Self {
            port,
            heads,
            connections,
            events,
        }
    }

    /// The requests so far whose head has this in it.
    pub(crate) fn asked(&self, part: &str) -> Vec<String> {
        let heads = self.heads.lock().unwrap();
        let heads = heads.iter().filter(|head| head.contains(part));
        heads.cloned().collect()
    }
}

async fn serve(
    mut socket: TcpStream,
    heads: Arc<Mutex<Vec<String>>>,
    mut events: watch::Receiver<u64>,
) -> Option<()> {
    socket.set_nodelay(true).ok()?;
    let mut bytes = Vec::new();
    loop {
        let head = read_request(&mut socket, &mut bytes).await?;
        heads.lock().unwrap().push(head.clone());
        let path = head.split(' ').nth(1)?;
        if path.starts_with("/drop") {
            return None;
        } else if path.starts_with("/hang") {
            std::future::pending::<()>().await;
        } else if path.starts_with("/events") {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
            socket.write_all(head.as_bytes()).await.ok()?;
            loop {
                let event = format!("data: {}\n\n", *events.borrow_and_update());
                let chunk = format!("{:x}\r\n{event}\r\n", event.len());
                socket.write_all(chunk.as_bytes()).await.ok()?;
                events.changed().await.ok()?;
            }
        } else {
            // Says itself what the gateway says too.
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nx-content-type-options: nosniff\r\n\
                 cache-control: no-store\r\ncontent-length: {}\r\n\r\n{head}",
                head.len()
            );
            socket.write_all(answer.as_bytes()).await.ok()?;
        }
    }
}

/// The head of the next request; its body is read too.
async fn read_request(socket: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<String> {
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if socket.read_buf(bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.parse::<usize>().ok())?
    });
    let whole = end + length.unwrap_or(0);
    while bytes.len() < whole {
        if socket.read_buf(bytes).await.ok()? == 0 {
            return None;
        }
    }
    bytes.drain(..whole);
    Some(head)
}
