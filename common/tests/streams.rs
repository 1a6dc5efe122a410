//! The streams are as they should be, or whoever asks for them hears which setting is not.

use std::time::Duration;

use async_nats::jetstream::stream;
use common::broker;
use common::wire::{REQUESTS, SETTLEMENTS};
use local::testing;

#[tokio::test]
async fn a_stream_that_can_lose_messages_is_changed_or_named() {
    let servers = testing::servers().await;
    let config = broker::Config {
        url: servers.nats_url(),
        user: "ledger".to_owned(),
        password: servers.nats_password("ledger").to_owned(),
        ca: None,
    };
    let client = broker::connect(&config).await.unwrap();
    let jetstream = broker::jetstream(&client);
    let forgetful = |name: &str, subject: &str, storage| stream::Config {
        name: name.to_owned(),
        subjects: vec![subject.to_owned()],
        max_age: Duration::from_secs(3600),
        duplicate_window: Duration::from_secs(60),
        storage,
        ..stream::Config::default()
    };
    // What can be changed is changed.
    let requests = forgetful(REQUESTS, "request.>", stream::StorageType::File);
    jetstream.create_stream(requests).await.unwrap();
    let memory = forgetful(SETTLEMENTS, "settlement.>", stream::StorageType::Memory);
    jetstream.create_stream(memory).await.unwrap();
    let error = broker::ensure_streams(&jetstream, 1).await.unwrap_err();
    let requests = jetstream.get_stream(REQUESTS).await.unwrap();
    let config = &requests.cached_info().config;
    assert!(config.deny_delete && config.deny_purge && config.max_age.is_zero());
    // What can't be is named, with its value.
    let error = error.to_string();
    assert!(
        error.contains("the stream SETTLEMENTS has storage=memory instead of file"),
        "{error}"
    );
    // Both streams are of this one server, which says of itself when it writes.
    let holders = broker::holders(&jetstream, REQUESTS).await.unwrap();
    let said = broker::servers(&client, &holders).await.unwrap();
    assert!(said.len() == 1 && said[0].name == "quittance" && said[0].is_always_synced);
    let nobody = ["elsewhere".to_owned()];
    let error = broker::servers(&client, &nobody).await.unwrap_err();
    assert!(error.to_string().contains("elsewhere does not say"));
}
