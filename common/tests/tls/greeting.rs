//! What leaves us before TLS, seen by somebody in the broker's place: nothing.

use std::time::Duration;

use common::broker::{Config, Publisher};
use common::headers::HeaderLines;
use common::message::Outgoing;
use common::wire::SETTLEMENTS;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::Authority;

/// The first byte of TLS: a handshake. Source: RFC 8446, `ContentType`.
const HANDSHAKE: u8 = 22;
/// Much longer than it takes to be connected to, and to hear the first words.
const SOON: Duration = Duration::from_secs(3);

/// What a broker that greets like this hears from a client of the address `<scheme>://…`, until it is left.
async fn heard(scheme: &str, greeting: &str) -> Vec<u8> {
    let authority = Authority::named("ours");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let publisher = Publisher::new(&Config {
        url: format!("{scheme}://{address}"),
        user: "ledger".to_owned(),
        password: "do-not-tell".to_owned(),
        // With it, `nats://` would demand TLS too.
        ca: (scheme == "tls").then(|| authority.file()),
    });
    let message = Outgoing {
        subject: "settlement.payment.v1.shop".to_owned(),
        headers: HeaderLines::default(),
        payload: "{}".into(),
    };
    let publishing = publisher.publish_one(SETTLEMENTS, message);
    let listening = async {
        let (mut client, _) = listener.accept().await.unwrap();
        client.write_all(greeting.as_bytes()).await.unwrap();
        let mut heard = Vec::new();
        // A client that waits for more says no more either.
        let leaving = client.read_to_end(&mut heard);
        drop(tokio::time::timeout(SOON, leaving).await);
        heard
    };
    tokio::select! {
        stored = publishing => panic!("{stored:?}"),
        heard = listening => heard,
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
