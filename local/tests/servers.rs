//! The servers start on free ports and keep what they were given through `kill -9`.

use local::testing;

#[tokio::test]
async fn both_servers_start() {
    let start = std::time::Instant::now();
    let servers = testing::servers().await;
    eprintln!("start: {:?}", start.elapsed());
    eprintln!("{} {}", servers.nats_url(), servers.postgres_address());
    let start = std::time::Instant::now();
    drop(servers);
    eprintln!("drop: {:?}", start.elapsed());
}
