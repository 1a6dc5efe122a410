//! PostgreSQL with TLS: the real one, which is built without it, behind somebody who takes TLS off as the real one does.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use local::Servers;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::Authority;

/// Source: `SSLRequest` in PostgreSQL's message formats.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// Stands in front of the PostgreSQL of a test. It takes TLS connections only.
pub(crate) struct Terminator {
    pub(crate) port: u16,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    sessions: AtomicUsize,
    /// Clients that asked for TLS and went away: a line each in the real one's log.
    refused: AtomicUsize,
}

impl Terminator {
    pub(crate) async fn of(servers: &Servers, authority: &Authority) -> Self {
        let acceptor = authority.acceptor();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = servers.postgres_address().replace("postgres://", "");
        let seen = Arc::new(Seen::default());
        let counted = seen.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (acceptor, server, seen) = (acceptor.clone(), server.clone(), counted.clone());
                tokio::spawn(async move { take(client, &acceptor, &server, &seen).await.ok() });
            }
        });
        Self { port, seen }
    }

    pub(crate) fn sessions(&self) -> usize {
        self.seen.sessions.load(Ordering::Relaxed)
    }

    pub(crate) fn refused(&self) -> usize {
        self.seen.refused.load(Ordering::Relaxed)
    }
}

async fn take(
    mut client: TcpStream,
    acceptor: &TlsAcceptor,
    server: &str,
    seen: &Seen,
) -> io::Result<()> {
    let mut request = [0; SSL_REQUEST.len()];
    client.read_exact(&mut request).await?;
    assert_eq!(request, SSL_REQUEST, "somebody speaks without TLS");
    client.write_all(b"S").await?;
    let accepted = acceptor.accept(client).await;
    let count = if accepted.is_ok() {
        &seen.sessions
    } else {
        &seen.refused
    };
    count.fetch_add(1, Ordering::Relaxed);
    let mut server = TcpStream::connect(server).await?;
    tokio::io::copy_bidirectional(&mut accepted?, &mut server).await?;
    Ok(())
}
