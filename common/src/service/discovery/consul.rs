//! A service at a Consul agent, by the agent's HTTP API: registered, with a check of its readiness, and deregistered.
//!
//! Source: "Register service" and "Deregister service" in Consul's documentation of `/v1/agent/service/`.

use std::time::Duration;

use reqwest::{Client, StatusCode, Url};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::Place;
use crate::service::Secret;

/// An agent that was away, or has lost what it knew, hears again that we are here: the same registration changes nothing.
const AGAIN: Duration = Duration::from_secs(60);
/// Between two tries, when the agent does not answer.
const RETRY_DELAY: Duration = Duration::from_secs(10);
/// The agent is on this machine or beside it. A service that stops waits no longer than this.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Registers again and again until `stop`, then deregisters.
pub(super) async fn register(
    place: &Place,
    agent: &str,
    token: Option<&Secret>,
    stop: &CancellationToken,
) {
    let agent = match Agent::at(place, agent, token) {
        Ok(agent) => agent,
        Err(error) => {
            tracing::error!(%error, "CONSUL_HTTP_ADDR can't be used");
            return;
        }
    };
    let registering = async {
        let mut is_told = false;
        loop {
            let delay = match agent.register().await {
                Ok(()) => AGAIN,
                Err(error) => {
                    if !std::mem::replace(&mut is_told, true) {
                        tracing::warn!(%error, "not registered with Consul, trying again");
                    }
                    RETRY_DELAY
                }
            };
            tokio::time::sleep(delay).await;
        }
    };
    stop.run_until_cancelled(registering).await;
    if let Err(error) = agent.deregister().await {
        tracing::warn!(%error, "not deregistered from Consul, which finds out by itself");
    }
}

struct Agent<'a> {
    place: &'a Place,
    base: Url,
    /// One for each address, so that a restart takes the place of what was there before.
    id: String,
    token: Option<&'a Secret>,
    http: Client,
}

#[derive(Debug, thiserror::Error)]
enum AgentError {
    #[error("the agent does not answer: {0}")]
    Silent(#[from] reqwest::Error),
    #[error("the agent says {0}")]
    Refused(StatusCode),
}

impl<'a> Agent<'a> {
    fn at(place: &'a Place, agent: &str, token: Option<&'a Secret>) -> anyhow::Result<Self> {
        // As Consul's own tools take it: a scheme may be missing.
        let base = match agent.contains("://") {
            true => agent.parse()?,
            false => format!("http://{agent}").parse()?,
        };
        let address = place.address.parse::<Url>()?;
        let (host, port) = (address.host_str(), address.port_or_known_default());
        let id = format!(
            "quittance-{}-{}-{}",
            place.service,
            host.unwrap_or_default(),
            port.unwrap_or_default()
        );
        Ok(Self {
            place,
            base,
            id,
            token,
            // The image has no authorities: asking for them would be an error.
            http: Client::builder()
                .timeout(TIMEOUT)
                .no_proxy()
                .tls_certs_only([])
                .build()?,
        })
    }

    async fn register(&self) -> Result<(), AgentError> {
        let Place {
            service,
            version,
            address,
        } = self.place;
        let at = address.parse::<Url>().ok();
        let host = at.as_ref().and_then(Url::host_str);
        let port = at.as_ref().and_then(Url::port_or_known_default);
        let registration = json!({
            "ID": self.id,
            "Name": format!("quittance-{service}"),
            "Address": host,
            "Port": port,
            "Tags": ["quittance"],
            "Meta": {"version": version},
            "Check": {
                "Name": "ready",
                "HTTP": format!("{address}/health/ready"),
                "Interval": "10s",
                "Timeout": "5s",
                "DeregisterCriticalServiceAfter": "10m",
            },
        });
        self.put("v1/agent/service/register", Some(registration.to_string()))
            .await
    }

    async fn deregister(&self) -> Result<(), AgentError> {
        let path = format!("v1/agent/service/deregister/{}", self.id);
        self.put(&path, None).await
    }

    async fn put(&self, path: &str, body: Option<String>) -> Result<(), AgentError> {
        let mut url = self.base.clone();
        url.set_path(path);
        let mut request = self.http.put(url);
        if let Some(token) = self.token {
            request = request.header("X-Consul-Token", token.expose());
        }
        if let Some(body) = body {
            request = request
                .header("Content-Type", "application/json")
                .body(body);
        }
        let answer = request.send().await?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(AgentError::Refused(status)),
        }
    }
}
