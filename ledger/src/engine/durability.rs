//! Before leading: what was acknowledged must be on a disk.
//!
//! The broker and the database say themselves how they are set. A ledger does not lead where a power failure could take back
//! what somebody was told, unless it is an experiment that says so.

use async_nats::jetstream;
use common::broker::{self, JetStreamServer, ReadError};
use common::wire::{REQUESTS, SETTLEMENTS};
use sqlx::PgConnection;

use super::context::Engine;
use super::failure::{Failure, Halt, UnsafeSetting};
use crate::store::{self, DatabaseSetting};

impl Engine {
    /// Fails unless broker and database keep what they acknowledge. The streams are there.
    ///
    /// `leading` is the connection that will write: a role, too, may have settings of its own.
    pub(super) async fn require_durability(
        &self,
        leading: &mut PgConnection,
    ) -> Result<(), Failure> {
        let mut found = unsafe_at_broker(&self.jetstream).await?;
        found.extend(unsafe_at_database(leading).await?);
        if found.is_empty() {
            return Ok(());
        }
        if !self.unsafe_durability {
            return Err(Halt::Unsafe(found).into());
        }
        for setting in found {
            tracing::error!("EXPERIMENT: acknowledged payments can be lost: {setting}");
        }
        Ok(())
    }
}

/// The settings of the broker's servers under which an acknowledged message can be lost.
///
/// # Errors
/// When a server that holds a stream does not say how it stores.
pub async fn unsafe_at_broker(
    jetstream: &jetstream::Context,
) -> Result<Vec<UnsafeSetting>, ReadError> {
    let mut holders = Vec::new();
    for stream in [REQUESTS, SETTLEMENTS] {
        let found = broker::holders(jetstream, stream).await;
        holders.extend(found.map_err(|error| ReadError::Broker {
            stream: stream.to_owned(),
            cause: error.to_string(),
        })?);
    }
    let servers = broker::servers(&jetstream.client(), &holders).await?;
    Ok(servers.into_iter().filter_map(of_server).collect())
}

/// The settings of this connection to the database under which a commit can be lost.
///
/// # Errors
/// When it does not answer.
pub async fn unsafe_at_database(db: &mut PgConnection) -> sqlx::Result<Vec<UnsafeSetting>> {
    let settings = store::durability_settings(db).await?;
    Ok(settings.into_iter().filter_map(of_database).collect())
}

fn of_server(server: JetStreamServer) -> Option<UnsafeSetting> {
    (!server.is_always_synced).then(|| UnsafeSetting {
        place: format!("the NATS server {}", server.name),
        setting: "sync_interval".to_owned(),
        value: format!("{}s", server.sync_interval.as_secs()),
        remedy: "set `sync_interval: always` in its `jetstream` block and start it again",
    })
}

fn of_database(setting: DatabaseSetting) -> Option<UnsafeSetting> {
    let DatabaseSetting { name, value } = setting;
    let remedy = match (name.as_str(), value.as_str()) {
        // All but `off` wait for this server's own disk; what they differ in is standbys.
        ("synchronous_commit", "on" | "local" | "remote_write" | "remote_apply") | (_, "on") => {
            return None;
        }
        ("synchronous_commit", _) => {
            "set it to on, for the server and for the ledger's role (`alter role … reset synchronous_commit`)"
        }
        ("data_checksums", _) => {
            "stop PostgreSQL, run `pg_checksums --enable` on its data and start it again"
        }
        _ => "set it to on in postgresql.conf, or where the server is started, and start it again",
    };
    Some(UnsafeSetting {
        place: "PostgreSQL".to_owned(),
        setting: name,
        value,
        remedy,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn said(name: &str, value: &str) -> Option<String> {
        let setting = DatabaseSetting {
            name: name.to_owned(),
            value: value.to_owned(),
        };
        of_database(setting).map(|found| found.to_string())
    }

    #[test]
    fn only_what_waits_for_the_disk_is_safe() {
        for name in ["fsync", "full_page_writes", "data_checksums"] {
            assert_eq!(said(name, "on"), None);
            let found = said(name, "off").unwrap();
            assert!(found.starts_with(&format!("PostgreSQL has {name}=off: ")));
        }
        for value in ["on", "local", "remote_write", "remote_apply"] {
            assert_eq!(said("synchronous_commit", value), None);
        }
        assert!(said("synchronous_commit", "off").is_some());
        let server = |is_always_synced| JetStreamServer {
            name: "n1".to_owned(),
            is_always_synced,
            sync_interval: Duration::from_secs(120),
            stored_bytes: 0,
            stored_bytes_max: 0,
        };
        assert_eq!(of_server(server(true)), None);
        let found = of_server(server(false)).unwrap().to_string();
        assert!(found.starts_with("the NATS server n1 has sync_interval=120s: set"));
    }
}
