//! What leaves us before TLS, seen by somebody in the broker's place: nothing.

use std::path::PathBuf;
use std::time::Duration;

use common::broker::{Config, Publisher};
use common::headers::HeaderLines;
use common::message::Outgoing;
use common::wire::SETTLEMENTS;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::Authority;

/// The first byte of TLS: a handshake. Source: RFC 8446, `ContentType`.
const HANDSHAKE: u8 = 22;
/// Much longer than it takes to be connected to, and to hear the first words.
const SOON: Duration = Duration::from_secs(3);

/// What a broker that greets like this hears from a client of the address `<scheme>://…`, until it is left.
async fn heard(scheme: &str, greeting: &str) -> Vec<u8> {
    let authority = Authority::named("ours");
    // With it, `nats://` would demand TLS too.
    let ca = (scheme == "tls").then(|| authority.file());
    let listening = async |mut client: TcpStream| {
        client.write_all(greeting.as_bytes()).await.unwrap();
        let mut heard = Vec::new();
        // A client that waits for more says no more either.
        let leaving = client.read_to_end(&mut heard);
        drop(tokio::time::timeout(SOON, leaving).await);
        heard
    };
    meet(scheme, ca, listening).await
}

/// What becomes of the first connection to a broker like this.
async fn meet<T>(scheme: &str, ca: Option<PathBuf>, broker: impl AsyncFnOnce(TcpStream) -> T) -> T {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let publisher = Publisher::new(&Config {
        url: format!("{scheme}://localhost:{port}"),
        user: "ledger".to_owned(),
        password: "do-not-tell".to_owned(),
        ca,
    });
    let message = Outgoing {
        subject: "settlement.payment.v1.shop".to_owned(),
        headers: HeaderLines::default(),
        payload: "{}".into(),
    };
    let publishing = publisher.publish_one(SETTLEMENTS, message);
    tokio::select! {
        stored = publishing => panic!("{stored:?}"),
        outcome = async { broker(listener.accept().await.unwrap().0).await } => outcome,
    }
}

#[tokio::test]
async fn a_broker_that_asks_for_tls_hears_nothing_else() {
    for scheme in ["nats", "tls"] {
        let heard = heard(scheme, "INFO {\"tls_required\":true}\r\n").await;
        // Nothing at all on a machine that trusts nobody.
        let is_tls = heard.first().is_none_or(|first| *first == HANDSHAKE);
        assert!(is_tls, "{heard:?}");
        let plain = String::from_utf8_lossy(&heard);
        assert!(
            !plain.contains("do-not-tell") && !plain.contains("CONNECT"),
            "{plain}"
        );
    }
}

#[tokio::test]
async fn a_broker_without_tls_hears_nothing_where_tls_is_demanded() {
    for greeting in [
        "INFO {}\r\n",
        "INFO {\"tls_required\":false}\r\n",
        "INFO \r\n",
    ] {
        assert_eq!(heard("tls", greeting).await, b"", "{greeting}");
    }
}

#[tokio::test]
async fn a_broker_whose_greeting_cannot_be_read_hears_nothing() {
    let greeting = "INFO {\"tls_required\":\"yes\"}\r\n";
    for scheme in ["nats", "tls"] {
        assert_eq!(heard(scheme, greeting).await, b"");
    }
}

#[tokio::test]
async fn nothing_is_believed_that_came_before_tls() {
    let greeting = "INFO {\"tls_required\":true}\r\nPONG\r\n";
    assert_eq!(heard("tls", greeting).await, b"");
}

#[tokio::test]
async fn a_broker_that_goes_on_after_its_last_word_is_left() {
    let authority = Authority::named("ours");
    let acceptor = authority.acceptor();
    let going_on = async |mut client: TcpStream| {
        let greeting = "INFO {\"tls_required\":true}\r\n";
        client.write_all(greeting.as_bytes()).await.unwrap();
        let mut client = acceptor.accept(client).await.unwrap();
        client.get_mut().1.send_close_notify();
        client.flush().await.unwrap();
        let client = client.get_mut().0;
        client.write_all(&[0; 4096]).await.unwrap();
        let mut rest = Vec::new();
        let leaving = client.read_to_end(&mut rest);
        tokio::time::timeout(SOON, leaving).await.is_ok()
    };
    let has_left = meet("tls", Some(authority.file()), going_on).await;
    assert!(has_left);
}
