//! Atomic batches as any client sends them.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test may panic like the test"
)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use async_nats::{Client, HeaderMap};
use local::{Servers, testing};

/// Where the broker keeps a stream of an account.
pub(crate) fn directory(servers: &Servers, account: &str, stream: &str) -> PathBuf {
    let accounts = servers.home().path().join("nats/jetstream/jetstream");
    accounts.join(account).join("streams").join(stream)
}

/// Waits until batches of a stream are staged in memory, if this machine has any for it: a batch that begins while its place
/// is being linked may be refused.
pub(crate) async fn are_staged(servers: &Servers, account: &str, stream: &str) {
    if testing::staging(servers).is_none() {
        return;
    }
    let batches = directory(servers, account, stream).join("batches");
    let deadline = Instant::now() + Duration::from_secs(30);
    while !batches.is_symlink() {
        assert!(
            Instant::now() < deadline,
            "{} is no link",
            batches.display()
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Publishes `count` messages as one atomic batch and returns the body of its acknowledgement.
pub(crate) async fn publish(client: &Client, subject: &str, id: &str, count: usize) -> String {
    for number in 1..=count {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Batch-Id", id);
        headers.insert("Nats-Batch-Sequence", number.to_string());
        let subject = subject.to_owned();
        if number < count {
            let sent = client.publish_with_headers(subject, headers, "{}".into());
            sent.await.unwrap();
        } else {
            headers.insert("Nats-Batch-Commit", "1");
            let ack = client.request_with_headers(subject, headers, "{}".into());
            return String::from_utf8(ack.await.unwrap().payload.to_vec()).unwrap();
        }
    }
    unreachable!("the last message returns")
}
