//! Where services find each other: each says at the broker that it is there, where it answers and how it does, and at a
//! Consul agent too where there is one.
//!
//! At the broker this is NATS' services API (`$SRV.PING`, `INFO` and `STATS`), so the tools that know it find us too. It has
//! an account of its own there, with nothing else in it. Nothing here may hold a service up: what can't be told now is told
//! later.

mod announced;
mod consul;
mod found;

use std::net::SocketAddr;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use found::{Instance, Targets, instances};

use super::exchange::Secret;
use super::readiness::{Parts, Readiness};
use crate::broker;

/// How others find this service.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)]
pub struct Discovery {
    /// Where others reach the service, such as `http://ledger:8082`; by default where it listens.
    #[arg(long, value_name = "URL", env = "QUITTANCE_ADVERTISE")]
    pub advertise: Option<String>,
    /// A Consul agent to register with, such as `127.0.0.1:8500`.
    #[arg(long, value_name = "ADDRESS", env = "CONSUL_HTTP_ADDR")]
    pub consul: Option<String>,
    /// The agent's token.
    #[arg(
        long,
        value_name = "TOKEN",
        env = "CONSUL_HTTP_TOKEN",
        hide_env_values = true
    )]
    pub consul_token: Option<Secret>,
}

/// What a service says of itself.
#[derive(Debug, Clone)]
struct Place {
    /// `auth`, `ledger`, `payments` or `console`.
    service: &'static str,
    version: &'static str,
    /// `http://127.0.0.1:8082`.
    address: String,
}

/// Says that this service is there, until it is `leaving`, and then that it is not. Await what is returned before the process ends.
pub fn announce(
    service: &'static str,
    listen: SocketAddr,
    discovery: &Discovery,
    broker: Option<&broker::Config>,
    readiness: &Readiness,
    leaving: &CancellationToken,
) -> JoinHandle<()> {
    let advertised = discovery.advertise.clone();
    let place = Place {
        service,
        version: env!("CARGO_PKG_VERSION"),
        address: advertised.unwrap_or_else(|| format!("http://{listen}")),
    };
    let broker = broker.map(broker::Config::discovery);
    let (discovery, readiness, leaving) = (discovery.clone(), readiness.clone(), leaving.clone());
    tokio::spawn(async move {
        let at_broker = async {
            if let Some(broker) = &broker {
                announced::announce(&place, broker, &readiness, &leaving).await;
            }
        };
        let at_consul = async {
            if let Some(agent) = &discovery.consul {
                let token = discovery.consul_token.as_ref();
                consul::register(&place, agent, token, &leaving).await;
            }
        };
        tokio::join!(at_broker, at_consul);
    })
}

/// `ready`, `degraded` or `DOWN`, and what is wrong.
fn health(parts: &Parts) -> (&'static str, String) {
    let (word, wrong) = if !parts.missing.is_empty() {
        ("DOWN", &parts.missing)
    } else if !parts.late.is_empty() {
        ("degraded", &parts.late)
    } else {
        ("ready", &parts.late)
    };
    let sentences: Vec<_> = wrong
        .iter()
        .map(|(part, trouble)| format!("{part} {trouble}"))
        .collect();
    (word, sentences.join("; "))
}
