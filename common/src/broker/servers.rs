//! What the broker's servers say of themselves: when they write to the disk, and how much of it they use.
//!
//! They say it on their monitoring page, which no service reaches, and under one subject of the system account. That one
//! subject is exported to the ledger's account and to no other (`nats/nats-server.conf`).

use std::time::Duration;

use async_nats::{Client, StatusCode};
use futures::StreamExt as _;
use serde::Deserialize;

use super::config::REQUEST_TIMEOUT;
use super::error::ReadError;

/// Each server answers with what `/jsz` of its monitoring page shows.
const JETSTREAM_PAGE: &str = "$SYS.REQ.SERVER.PING.JSZ";

/// One server that stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JetStreamServer {
    /// Its name.
    pub name: String,
    /// Whether it writes to the disk before each acknowledgement.
    pub is_always_synced: bool,
    /// How often otherwise.
    pub sync_interval: Duration,
    /// What it stores.
    pub stored_bytes: u64,
    /// What it may store.
    pub stored_bytes_max: u64,
}

/// Asks servers how they store: `of`, by name, or whichever answers first where there are no names.
///
/// # Errors
/// When one of them does not say it in time.
pub async fn servers(client: &Client, of: &[String]) -> Result<Vec<JetStreamServer>, ReadError> {
    let failed = |cause: String| ReadError::Broker {
        stream: JETSTREAM_PAGE.to_owned(),
        cause,
    };
    let inbox = client.new_inbox();
    let answers = client.subscribe(inbox.clone()).await;
    let mut answers = answers.map_err(|error| failed(error.to_string()))?;
    let asked = client
        .publish_with_reply(JETSTREAM_PAGE, inbox, "".into())
        .await;
    asked.map_err(|error| failed(error.to_string()))?;
    let mut said: Vec<JetStreamServer> = Vec::new();
    let missing = |said: &[JetStreamServer]| {
        let is_missing = |name: &&String| said.iter().all(|one| one.name != **name);
        of.iter().find(is_missing).cloned()
    };
    let listening = async {
        while said.is_empty() || missing(&said).is_some() {
            let answer = answers.next().await;
            let answer = answer.ok_or_else(|| failed("the connection has ended".to_owned()))?;
            if answer.status == Some(StatusCode::NO_RESPONDERS) {
                return Err(failed("nobody answers there".to_owned()));
            }
            let page = serde_json::from_slice::<Page>(&answer.payload);
            said.extend(page.map_err(|error| failed(error.to_string()))?.server());
        }
        Ok(())
    };
    match tokio::time::timeout(REQUEST_TIMEOUT, listening).await {
        Ok(listened) => listened.map(|()| said),
        Err(_) => {
            let silent = missing(&said).unwrap_or_else(|| "the server".to_owned());
            Err(failed(format!("{silent} does not say how it stores")))
        }
    }
}

/// The part of `/jsz` that is read here. A server without JetStream has no configuration of it.
#[derive(Deserialize)]
struct Page {
    server: Server,
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Server {
    name: String,
}

#[derive(Deserialize)]
struct Data {
    #[serde(default)]
    storage: u64,
    config: Option<Config>,
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    sync_always: bool,
    /// In nanoseconds.
    #[serde(default)]
    sync_interval: u64,
    #[serde(default)]
    max_storage: u64,
}

impl Page {
    fn server(self) -> Option<JetStreamServer> {
        let data = self.data?;
        let config = data.config?;
        Some(JetStreamServer {
            name: self.server.name,
            is_always_synced: config.sync_always,
            sync_interval: Duration::from_nanos(config.sync_interval),
            stored_bytes: data.storage,
            stored_bytes_max: config.max_storage,
        })
    }
}
