//! A message is stored, or its sender learns why not, whatever becomes of the connection.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test may panic like the test"
)]

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use common::broker;
use common::broker::{Config, PublishError, Publisher};
use common::headers::HeaderLines;
use common::message::Outgoing;
use common::wire::SETTLEMENTS;
use futures::future::join_all;
use local::Servers;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{RwLock, watch};

/// Shorter than a request may take, and much longer than anything here takes that does not wait for that.
const SOON: Duration = Duration::from_secs(3);
/// Longer than a request may take, the wait for a place in front of the broker included.
const LATE: Duration = Duration::from_secs(20);

fn ledger(servers: &Servers) -> Config {
    Config {
        url: servers.nats_url(),
        user: "ledger".to_owned(),
        password: servers.nats_password("ledger").to_owned(),
        ca: None,
    }
}

async fn streams(servers: &Servers) -> jetstream::Context {
    let jetstream = broker::jetstream(&broker::connect(&ledger(servers)).await.unwrap());
    broker::ensure_streams(&jetstream, 1).await.unwrap();
    jetstream
}

fn answer(bytes: usize) -> Outgoing {
    let mut headers = HeaderLines::default();
    headers.add("ce-id", bytes);
    Outgoing {
        subject: "settlement.payment.v1.shop".to_owned(),
        headers,
        payload: vec![b' '; bytes].into(),
    }
}

async fn stored(jetstream: &jetstream::Context, count: u64) {
    let reached = async {
        while broker::last_sequence(jetstream, SETTLEMENTS).await.unwrap() < count {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, reached).await.unwrap();
}

/// A way to the broker on which its answers can be held back, or which can be cut.
struct Wire {
    publisher: Publisher,
    /// Answers pass whoever can read this.
    gate: Arc<RwLock<()>>,
    cut: watch::Sender<()>,
}

impl Wire {
    async fn to(servers: &Servers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("nats://{}", listener.local_addr().unwrap());
        let broker = servers.nats_url().replace("nats://", "");
        let gate = Arc::new(RwLock::new(()));
        let cut = watch::Sender::new(());
        let (open, cuts) = (gate.clone(), cut.clone());
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(&broker).await.unwrap();
                let (open, mut cut) = (open.clone(), cuts.subscribe());
                tokio::spawn(async move {
                    tokio::select! {
                        () = join(near, far, &open) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Self {
            publisher: Publisher::new(&Config {
                url,
                ..ledger(servers)
            }),
            gate,
            cut,
        }
    }
}

async fn join(near: TcpStream, far: TcpStream, open: &RwLock<()>) {
    let (mut near_read, mut near_write) = near.into_split();
    let (mut far_read, mut far_write) = far.into_split();
    let there = async { drop(tokio::io::copy(&mut near_read, &mut far_write).await) };
    let back = async {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = far_read.read(&mut bytes).await {
            let _open = open.read().await;
            if near_write.write_all(&bytes[..count]).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = there => {}
        () = back => {}
    }
}

#[tokio::test]
async fn nobody_waits_for_the_acknowledgement_of_another() {
    let servers = local::testing::servers().await;
    let jetstream = streams(&servers).await;
    let wire = Wire::to(&servers).await;
    let first = wire.publisher.publish_one(SETTLEMENTS, answer(1)).await;
    assert_eq!(first.unwrap().sequence, 1);

    let closed = wire.gate.write().await;
    let both = join_all((2..4).map(|n| wire.publisher.publish_one(SETTLEMENTS, answer(n))));
    let both_then_open = async {
        stored(&jetstream, 3).await;
        drop(closed);
    };
    let (acks, ()) = tokio::join!(both, both_then_open);
    let sequences: Vec<_> = acks.into_iter().map(|ack| ack.unwrap().sequence).collect();
    assert_eq!(sequences, [2, 3]);
}

#[tokio::test]
async fn who_waits_hears_of_a_lost_connection_at_once_and_the_next_one_is_stored() {
    let servers = local::testing::servers().await;
    let jetstream = streams(&servers).await;
    let wire = Wire::to(&servers).await;
    let publisher = &wire.publisher;
    let first = publisher.publish_one(SETTLEMENTS, answer(1)).await;
    assert_eq!(first.unwrap().sequence, 1);

    let closed = wire.gate.write().await;
    let (second, third) = ([answer(2)], [answer(3)]);
    let waiting = publisher.publish_behind(SETTLEMENTS, 1, &second);
    let then_cut = async {
        stored(&jetstream, 2).await;
        wire.cut.send_replace(());
    };
    let (told, ()) = tokio::time::timeout(SOON, async { tokio::join!(waiting, then_cut) })
        .await
        .unwrap();
    assert!(matches!(told, Err(PublishError::Unanswered(_))), "{told:?}");

    drop(closed);
    // It was stored all the same, so that repeating it is refused.
    let again = publisher.publish_behind(SETTLEMENTS, 1, &second).await;
    assert!(
        matches!(again, Err(PublishError::WrongLastSequence(_))),
        "{again:?}"
    );
    publisher
        .publish_behind(SETTLEMENTS, 2, &third)
        .await
        .unwrap();
}

#[tokio::test]
async fn who_hears_nothing_stops_waiting_and_nobody_waits_for_who_has_left() {
    let servers = local::testing::servers().await;
    streams(&servers).await;
    let wire = Wire::to(&servers).await;
    let first = wire.publisher.publish_one(SETTLEMENTS, answer(1)).await;
    assert_eq!(first.unwrap().sequence, 1);

    let closed = wire.gate.write().await;
    let waiting = wire.publisher.publish_one(SETTLEMENTS, answer(2));
    let gone = wire.publisher.publish_one(SETTLEMENTS, answer(3));
    assert!(tokio::time::timeout(SOON, gone).await.is_err());
    let told = tokio::time::timeout(LATE, waiting).await.unwrap();
    assert!(matches!(told, Err(PublishError::Unanswered(_))), "{told:?}");

    drop(closed);
    let next = wire.publisher.publish_one(SETTLEMENTS, answer(4));
    tokio::time::timeout(LATE, next).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_message_waits_for_a_broker_that_is_away() {
    let mut servers = local::testing::servers().await;
    streams(&servers).await;
    let publisher = Publisher::new(&ledger(&servers));
    servers.kill_nats();
    let mut waiting =
        tokio::spawn(async move { publisher.publish_one(SETTLEMENTS, answer(1)).await });
    let told = tokio::time::timeout(Duration::from_millis(300), &mut waiting).await;
    assert!(told.is_err(), "{told:?}");
    servers.restart_nats().await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().sequence, 1);
}

#[tokio::test]
async fn what_can_not_be_stored_is_refused_by_itself() {
    let servers = local::testing::servers().await;
    let publisher = Publisher::new(&ledger(&servers));
    let nowhere = publisher.publish_one(SETTLEMENTS, answer(1)).await;
    assert!(
        matches!(nowhere, Err(PublishError::Refused(_))),
        "{nowhere:?}"
    );

    streams(&servers).await;
    // The broker would close the connection at the second one.
    let messages = [answer(1), answer(1 << 20), answer(3)];
    let each = publisher.publish_each(SETTLEMENTS, &messages, None).await;
    let sequences: Vec<_> = join_all(each.unwrap())
        .await
        .into_iter()
        .map(|stored| stored.ok().map(|ack| ack.sequence))
        .collect();
    assert_eq!(sequences, [Some(1), None, Some(2)]);
    let batch = publisher.publish_batch(SETTLEMENTS, &messages, None).await;
    assert!(matches!(batch, Err(PublishError::Refused(_))), "{batch:?}");
}

/// The largest batch of the largest answers, which no buffer on the way holds.
#[tokio::test]
async fn a_batch_of_megabytes_is_stored_as_one() {
    let servers = local::testing::servers().await;
    let jetstream = streams(&servers).await;
    let publisher = Publisher::new(&ledger(&servers));
    let messages = vec![answer(40 * 1024); broker::BATCH_MESSAGES_MAX];
    let ack = publisher.publish_batch(SETTLEMENTS, &messages, Some(0));
    assert_eq!(ack.await.unwrap().sequence, 1000);
    stored(&jetstream, 1000).await;
}
