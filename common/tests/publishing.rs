//! Messages are stored or their sender hears why not, whatever becomes of the connection.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test may panic like the test"
)]

use std::time::Duration;

use common::broker::{self, Config, HeaderLines, Outgoing, PublishError, Publisher};
use common::wire::SETTLEMENTS;
use local::Servers;
use rustix::process::{Pid, Signal, kill_process};

/// Shorter than a request may take, and much longer than anything here takes that does not wait for that.
const SOON: Duration = Duration::from_secs(3);

fn ledger(servers: &Servers) -> Config {
    Config {
        url: servers.nats_url(),
        user: "ledger".to_owned(),
        password: servers.nats_password("ledger").to_owned(),
    }
}

async fn streams(servers: &Servers) -> async_nats::jetstream::Context {
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

fn freeze(servers: &Servers) {
    let pid = std::fs::read_to_string(servers.home().path().join("run/nats.pid")).unwrap();
    let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_hears_of_a_lost_connection_at_once_and_the_next_one_is_stored() {
    let mut servers = local::testing::servers().await;
    let jetstream = streams(&servers).await;
    let publisher = Publisher::new(&ledger(&servers));
    let stored = publisher.publish_one(SETTLEMENTS, answer(1)).await;
    assert_eq!(stored.unwrap().sequence, 1);

    freeze(&servers);
    let sender = publisher.clone();
    let waiting =
        tokio::spawn(async move { sender.publish_behind(SETTLEMENTS, 1, &[answer(2)]).await });
    servers.kill_nats();
    servers.restart_nats().await.unwrap();
    // It had reached the broker, which is gone, or it was not sent yet and goes to the new one.
    let told = tokio::time::timeout(SOON, waiting).await.unwrap().unwrap();
    let last = broker::last_sequence(&jetstream, SETTLEMENTS)
        .await
        .unwrap();
    match told {
        Ok(()) => assert_eq!(last, 2),
        Err(error) => assert!(matches!(error, PublishError::Unanswered(_)), "{error}"),
    }

    let next = [answer(3)];
    let stored = publisher.publish_behind(SETTLEMENTS, last, &next);
    tokio::time::timeout(SOON, stored).await.unwrap().unwrap();
    let late = publisher.publish_behind(SETTLEMENTS, last, &next).await;
    assert!(
        matches!(late, Err(PublishError::WrongLastSequence(_))),
        "{late:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_waits_for_a_broker_that_is_away() {
    let mut servers = local::testing::servers().await;
    streams(&servers).await;
    let publisher = Publisher::new(&ledger(&servers));
    servers.kill_nats();
    let sender = publisher.clone();
    let waiting = tokio::spawn(async move { sender.publish_one(SETTLEMENTS, answer(1)).await });
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
    // The broker hangs up on whoever sends the second one.
    let messages = [answer(1), answer(64 * 1024), answer(3)];
    let stored = publisher.publish_each(SETTLEMENTS, &messages, None).await;
    let sequences: Vec<_> = stored
        .iter()
        .map(|stored| stored.as_ref().ok().map(|ack| ack.sequence))
        .collect();
    assert_eq!(sequences, [Some(1), None, Some(2)], "{stored:?}");
    let batch = publisher.publish_batch(SETTLEMENTS, &messages, None).await;
    assert!(matches!(batch, Err(PublishError::Refused(_))), "{batch:?}");
}
