//! Atomic batches are staged in memory. Only what was not acknowledged is lost with it.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test may panic like the test"
)]

mod batches;

use std::fs;
use std::path::PathBuf;

use async_nats::jetstream::{self, stream};
use async_nats::{Client, ConnectOptions, HeaderMap};
use local::{Servers, testing};

/// A stream with the ledger's name and settings, and who writes to it.
async fn settlements(servers: &Servers) -> Client {
    let password = servers.nats_password("ledger").to_owned();
    let client = ConnectOptions::with_user_and_password("ledger".to_owned(), password)
        .custom_inbox_prefix("_INBOX_ledger")
        .connect(servers.nats_url())
        .await
        .unwrap();
    let config = stream::Config {
        name: "SETTLEMENTS".to_owned(),
        subjects: vec!["settlement.>".to_owned()],
        allow_atomic_publish: true,
        ..Default::default()
    };
    let jetstream = jetstream::new(client.clone());
    jetstream.create_or_update_stream(config).await.unwrap();
    batches::are_staged(servers, "BOOKS", "SETTLEMENTS").await;
    client
}

/// The files of that stream.
fn directory(servers: &Servers) -> PathBuf {
    batches::directory(servers, "BOOKS", "SETTLEMENTS")
}

/// Publishes so many messages as one batch; what the broker says.
async fn publish(client: &Client, batch: &str, count: usize) -> serde_json::Value {
    let ack = batches::publish(client, "settlement.payment.v1.shop", batch, count).await;
    serde_json::from_str(&ack).unwrap()
}

#[tokio::test]
async fn batches_are_staged_in_memory_before_and_after_a_restart() {
    let mut servers = testing::servers().await;
    let Some(memory) = testing::staging(&servers) else {
        return;
    };
    let staged = directory(&servers).join("batches");
    for last in [10, 20] {
        let client = settlements(&servers).await;
        // One that stays open is where it belongs.
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Batch-Id", "open");
        headers.insert("Nats-Batch-Sequence", "1");
        let first = client.request_with_headers("settlement.payment.v1.shop", headers, "".into());
        first.await.unwrap();
        assert_eq!(fs::read_dir(&staged).unwrap().count(), 1);
        let ack = publish(&client, &format!("batch-{last}"), 10).await;
        assert_eq!(ack["seq"], last, "{ack}");
        servers.kill_nats();
        servers.restart_nats().await.unwrap();
    }
    drop(servers);
    assert!(!memory.exists());
}

/// Whoever sent the batch has heard nothing, so these may be there or not; what must not be is a stream that can't go on.
#[tokio::test]
async fn of_a_batch_that_a_power_failure_cut_short_the_first_messages_stay() {
    let mut servers = testing::servers().await;
    let client = settlements(&servers).await;
    let ack = publish(&client, "whole", 10).await;
    assert_eq!(ack["seq"], 10, "{ack}");
    servers.kill_nats();
    let messages = directory(&servers).join("msgs");
    let block = messages.join("1.blk");
    let bytes = fs::metadata(&block).unwrap().len();
    // Ten messages of one size: the last two and a half have not reached the disk, nor has what memory held.
    let file = fs::File::options().write(true).open(&block).unwrap();
    file.set_len(bytes * 3 / 4).unwrap();
    fs::remove_file(messages.join("index.db")).ok();
    if let Some(memory) = testing::staging(&servers) {
        fs::remove_dir_all(memory).unwrap();
    }
    servers.restart_nats().await.unwrap();

    let client = settlements(&servers).await;
    let stream = jetstream::new(client.clone());
    let mut stream = stream.get_stream("SETTLEMENTS").await.unwrap();
    assert_eq!(stream.info().await.unwrap().state.last_sequence, 7);
    let ack = publish(&client, "next", 20).await;
    assert_eq!(ack["seq"], 27, "{ack}");
}
