//! When the broker's servers write to the disk what they acknowledge, as they say it themselves.
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

/// When one server writes to the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Syncing {
    /// The server's name.
    pub server: String,
    /// Before each acknowledgement.
    pub is_always: bool,
    /// How often otherwise.
    pub interval: Duration,
}

/// Asks servers when they write to the disk: `of`, by name, or whichever answers first where there are no names.
///
/// # Errors
/// When one of them does not say it in time.
pub async fn syncing(client: &Client, of: &[String]) -> Result<Vec<Syncing>, ReadError> {
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
    let mut said: Vec<Syncing> = Vec::new();
    let missing = |said: &[Syncing]| {
        let is_missing = |name: &&String| said.iter().all(|one| one.server != **name);
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
            said.extend(page.map_err(|error| failed(error.to_string()))?.syncing());
        }
        Ok(())
    };
    match tokio::time::timeout(REQUEST_TIMEOUT, listening).await {
        Ok(listened) => listened.map(|()| said),
        Err(_) => {
            let silent = missing(&said).unwrap_or_else(|| "the server".to_owned());
            Err(failed(format!(
                "{silent} does not say when it writes to the disk"
            )))
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
    config: Option<Config>,
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    sync_always: bool,
    /// In nanoseconds.
    #[serde(default)]
    sync_interval: u64,
}

impl Page {
    fn syncing(self) -> Option<Syncing> {
        let config = self.data?.config?;
        Some(Syncing {
            server: self.server.name,
            is_always: config.sync_always,
            interval: Duration::from_nanos(config.sync_interval),
        })
    }
}
