//! Readers of SETTLEMENTS with few names for their consumers: each has one of its own, and that of a killed one is taken again.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test may panic like the test"
)]

use std::time::Duration;

use common::broker::{self, Config, Publisher, Reader, consumers_of_settlements};
use common::headers::HeaderLines;
use common::message::Outgoing;
use common::wire::SETTLEMENTS;
use futures::future::join_all;
use local::{Servers, testing};

/// Longer than the broker keeps the consumer of a reader that died.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longer than it takes to read something that is there.
const SOON: Duration = Duration::from_secs(3);

fn config(servers: &Servers, user: &str) -> Config {
    Config {
        url: servers.nats_url(),
        user: user.to_owned(),
        password: servers.nats_password(user).to_owned(),
        ca: None,
    }
}

async fn publish(ledger: &Publisher, last: u64) {
    let answer = Outgoing {
        subject: "settlement.payment.v1.shop".to_owned(),
        headers: HeaderLines::default(),
        payload: "{}".into(),
    };
    let answers = [answer.clone(), answer.clone(), answer];
    let stored = ledger.publish_batch(SETTLEMENTS, &answers, Some(last));
    stored.await.unwrap();
}

async fn read(reader: &mut Reader, until: u64) {
    let mut read = 0;
    while read < until {
        let batch = tokio::time::timeout(PATIENCE, reader.batch(10)).await;
        read = batch.unwrap().unwrap().last().unwrap().sequence;
    }
    assert_eq!(read, until);
}

#[tokio::test]
async fn each_reader_of_payments_has_a_consumer_of_its_own_and_a_killed_one_is_replaced() {
    let servers = testing::servers().await;
    let ledger = config(&servers, "ledger");
    let jetstream = broker::jetstream(&broker::connect(&ledger).await.unwrap());
    broker::ensure_streams(&jetstream, 1).await.unwrap();
    let ledger = Publisher::new(&ledger);
    publish(&ledger, 0).await;

    // As many as there are names, at the same time: the permissions list every name, and nobody shares a consumer.
    let payments = config(&servers, "payments");
    let names = consumers_of_settlements("payments").count();
    let readers = (0..names).map(|_| Reader::new(&payments, SETTLEMENTS, 1));
    let mut readers: Vec<_> = readers.collect();
    join_all(readers.iter_mut().map(|reader| read(reader, 3))).await;
    publish(&ledger, 3).await;
    join_all(readers.iter_mut().map(|reader| read(reader, 6))).await;

    // One more waits until a name is free.
    let mut late = Reader::new(&payments, SETTLEMENTS, 1);
    let early = tokio::time::timeout(SOON, late.batch(10)).await;
    assert!(early.is_err(), "{early:?}");
    let killed = readers.pop();
    drop(killed);
    let others = async {
        loop {
            join_all(readers.iter_mut().map(|reader| async {
                let nothing = tokio::time::timeout(SOON, reader.batch(10)).await;
                assert!(nothing.is_err(), "{nothing:?}");
            }))
            .await;
        }
    };
    tokio::select! {
        () = read(&mut late, 6) => {}
        () = others => {}
    }
    // The others have kept theirs.
    publish(&ledger, 6).await;
    join_all(readers.iter_mut().map(|reader| read(reader, 9))).await;
    read(&mut late, 9).await;
}
