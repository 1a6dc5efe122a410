//! A broker with TLS, and one without.

use common::broker::{self, Config, PublishError, Publisher, Reader};
use common::headers::HeaderLines;
use common::message::Outgoing;
use common::wire::SETTLEMENTS;
use futures::future::join_all;
use local::testing;

use crate::{Authority, ledger};

/// Longer than the records of TLS and than the buffers of a connection together.
const MESSAGES: usize = 200;
const MESSAGE_BYTES: usize = 30_000;

fn answer(n: usize) -> Outgoing {
    let mut headers = HeaderLines::default();
    headers.add("ce-id", n);
    let byte = b'a' + u8::try_from(n % 26).unwrap();
    Outgoing {
        subject: "settlement.payment.v1.shop".to_owned(),
        headers,
        payload: vec![byte; MESSAGE_BYTES].into(),
    }
}

async fn make_streams(config: &Config) {
    let client = broker::connect(config).await.unwrap();
    let jetstream = broker::jetstream(&client);
    broker::ensure_streams(&jetstream, 1).await.unwrap();
}

/// Why the library's connection and our own do not come about.
async fn refusals(config: Config) -> [String; 2] {
    let publisher = Publisher::new(&config);
    let (connected, stored) = tokio::join!(
        broker::connect(&config),
        publisher.publish_one(SETTLEMENTS, answer(1))
    );
    let Err(PublishError::Unanswered(ours)) = stored else {
        panic!("not a lost connection: {stored:?}");
    };
    [connected.unwrap_err().to_string(), ours]
}

#[tokio::test]
async fn what_is_stored_with_tls_is_read_with_tls_before_and_after_a_restart() {
    let authority = Authority::named("ours");
    let mut servers = authority.servers().await;
    let config = ledger(&servers, "tls://localhost", Some(authority.file()));
    make_streams(&config).await;
    let publisher = Publisher::new(&config);
    let mut reader = Reader::new(&config, SETTLEMENTS, 1);
    let messages: Vec<_> = (0..MESSAGES).map(answer).collect();
    let mut read = 0;
    for round in 0..2 {
        let stored = publisher.publish_batch(SETTLEMENTS, &messages, None).await;
        assert!(stored.is_ok(), "{stored:?}");
        while read < MESSAGES * (round + 1) {
            for stored in reader.batch(MESSAGES).await.unwrap() {
                assert_eq!(stored.payload, answer(read % MESSAGES).payload, "{read}");
                read += 1;
            }
        }
        servers.restart_nats().await.unwrap();
    }
}

#[tokio::test]
async fn a_broker_that_asks_for_tls_gets_it_without_a_word_in_the_address() {
    let authority = Authority::named("ours");
    let servers = authority.servers().await;
    make_streams(&ledger(
        &servers,
        "nats://localhost",
        Some(authority.file()),
    ))
    .await;
    // Without a file the machine's own authorities count, and ours is none of them.
    for refusal in refusals(ledger(&servers, "nats://localhost", None)).await {
        let expected = [
            "invalid peer certificate",
            "is not accepted",
            "trusts nobody",
        ];
        let is_expected = expected.iter().any(|words| refusal.contains(words));
        assert!(is_expected, "{refusal}");
    }
}

#[tokio::test]
async fn a_broker_that_nobody_trusted_vouches_for_is_refused() {
    let servers = Authority::named("ours").servers().await;
    let other = Authority::named("another");
    let config = ledger(&servers, "tls://localhost", Some(other.file()));
    let [library, ours] = refusals(config).await;
    assert!(
        library.contains("invalid peer certificate: UnknownIssuer"),
        "{library}"
    );
    assert_eq!(
        ours,
        "the broker's certificate is not accepted: UnknownIssuer"
    );
}

#[tokio::test]
async fn a_broker_with_the_certificate_of_another_host_is_refused() {
    let authority = Authority::named("ours");
    let servers = authority.servers().await;
    let config = ledger(&servers, "tls://127.0.0.1", Some(authority.file()));
    for refusal in refusals(config).await {
        assert!(
            refusal.contains("certificate not valid for name"),
            "{refusal}"
        );
    }
}

#[tokio::test]
async fn a_broker_without_tls_is_refused_where_tls_is_demanded() {
    let servers = testing::servers().await;
    let authority = Authority::named("ours");
    let addresses = ["tls://localhost", "TLS://localhost", "nats://localhost"];
    let refused = addresses.map(|address| {
        let config = ledger(&servers, address, Some(authority.file()));
        refusals(config)
    });
    for [_, ours] in join_all(refused).await {
        assert_eq!(ours, "TLS is demanded, and the broker has none");
    }
}

#[tokio::test]
async fn a_file_that_vouches_for_nobody_is_named() {
    let servers = testing::servers().await;
    let authority = Authority::named("ours");
    let [nowhere, empty] = ["nowhere", "empty"].map(|name| authority.file().with_file_name(name));
    std::fs::write(&empty, "").unwrap();
    for (ca, reason) in [(nowhere, "No such file"), (empty, "no certificate in it")] {
        let name = ca.display().to_string();
        let config = ledger(&servers, "tls://localhost", Some(ca));
        let refusal = broker::connect(&config).await.unwrap_err().to_string();
        assert!(refusal.contains(&name), "{refusal}");
        assert!(refusal.contains(reason), "{refusal}");
    }
}
