//! Who is there: everybody is asked, and whoever answers soon is found.

use std::collections::HashMap;
use std::time::Duration;

use async_nats::service::Info;
use async_nats::{Client, StatusCode};
use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};

/// Nobody knows how many there are: after so long without a further answer there are no more.
const SILENCE: Duration = Duration::from_millis(300);
/// However many answer.
const ASKING_MAX: Duration = Duration::from_secs(2);

/// One running service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Instance {
    /// `auth`, `ledger`, `payments` or `console`.
    pub service: String,
    /// Its version.
    pub version: String,
    /// Which of several it is.
    pub id: String,
    /// Where it answers: `http://127.0.0.1:8082`.
    pub address: String,
    /// `ready`, `degraded` or `DOWN`.
    pub status: String,
    /// What is wrong; empty when nothing is.
    pub detail: String,
    /// Since when it is there.
    pub since: Option<DateTime<Utc>>,
}

/// Asks who is there, in the order of their names.
///
/// # Errors
/// When the broker does not take the question.
pub async fn instances(client: &Client) -> Result<Vec<Instance>, async_nats::Error> {
    let inbox = client.new_inbox();
    let mut answers = client.subscribe(inbox.clone()).await?;
    for question in ["$SRV.INFO", "$SRV.STATS"] {
        client
            .publish_with_reply(question, inbox.clone(), "".into())
            .await?;
    }
    let mut found: HashMap<String, Instance> = HashMap::new();
    let mut said: HashMap<String, Stats> = HashMap::new();
    let listening = async {
        while let Ok(Some(answer)) = tokio::time::timeout(SILENCE, answers.next()).await {
            if answer.status == Some(StatusCode::NO_RESPONDERS) {
                break;
            }
            if let Ok(stats) = serde_json::from_slice::<Stats>(&answer.payload) {
                said.insert(stats.id.clone(), stats);
            } else if let Ok(info) = serde_json::from_slice::<Info>(&answer.payload) {
                found.insert(info.id.clone(), Instance::of(info));
            }
        }
    };
    // Those who have answered by then are found.
    drop(tokio::time::timeout(ASKING_MAX, listening).await);
    let mut instances: Vec<Instance> = found.into_values().collect();
    for instance in &mut instances {
        if let Some(stats) = said.remove(&instance.id) {
            instance.hear(stats);
        }
    }
    instances.sort_by(|a, b| (&a.service, &a.id).cmp(&(&b.service, &b.id)));
    Ok(instances)
}

/// The part of an answer to `$SRV.STATS` that is read here.
#[derive(Deserialize)]
struct Stats {
    id: String,
    started: DateTime<Utc>,
    endpoints: Vec<Endpoint>,
}

#[derive(Deserialize)]
struct Endpoint {
    name: String,
    data: Option<Health>,
}

#[derive(Deserialize)]
struct Health {
    status: String,
    detail: String,
}

impl Instance {
    fn of(info: Info) -> Self {
        let address = info.metadata.get("address").cloned();
        Self {
            service: info.name,
            version: info.version,
            id: info.id,
            address: address.unwrap_or_default(),
            status: "unknown".to_owned(),
            detail: String::new(),
            since: None,
        }
    }

    fn hear(&mut self, stats: Stats) {
        self.since = Some(stats.started);
        let mut endpoints = stats.endpoints.into_iter();
        let health = endpoints.find(|endpoint| endpoint.name == "health");
        if let Some(Health { status, detail }) = health.and_then(|endpoint| endpoint.data) {
            (self.status, self.detail) = (status, detail);
        }
    }
}

/// One entry of a list of targets, as Prometheus' `http_sd` reads it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Targets {
    targets: [String; 1],
    labels: HashMap<&'static str, String>,
}

impl Targets {
    /// Where the metrics of this instance are.
    #[must_use]
    pub fn of(instance: &Instance) -> Option<Self> {
        let (scheme, rest) = instance.address.split_once("://")?;
        let host = rest.split('/').next().filter(|host| !host.is_empty())?;
        Some(Self {
            targets: [host.to_owned()],
            labels: HashMap::from([
                ("__scheme__", scheme.to_owned()),
                ("service", instance.service.clone()),
                ("version", instance.version.clone()),
            ]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_host_with_its_port() {
        let at = |address: &str| {
            let instance = Instance {
                service: "ledger".to_owned(),
                version: "1.2.3".to_owned(),
                id: "x".to_owned(),
                address: address.to_owned(),
                status: "ready".to_owned(),
                detail: String::new(),
                since: None,
            };
            Targets::of(&instance).map(|targets| serde_json::to_value(targets).unwrap())
        };
        let expected = serde_json::json!({
            "targets": ["ledger:8082"],
            "labels": {"__scheme__": "http", "service": "ledger", "version": "1.2.3"},
        });
        assert_eq!(at("http://ledger:8082/"), Some(expected));
        assert_eq!(at(""), None);
        assert_eq!(at("http://"), None);
    }
}
