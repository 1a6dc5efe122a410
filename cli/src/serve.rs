//! `quittance serve`: runs one service in this process. `quittance up` starts three of these; so does a container.

use anyhow::Result;
use clap::{Args, Subcommand};
use common::service::traces::Traces;
use common::{broker, service};

/// A service, and what a process does besides.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    service: Service,
    #[command(flatten)]
    traces: Traces,
}

/// Which service. Each reads its options from the environment too.
#[derive(Debug, Subcommand)]
pub(crate) enum Service {
    /// Log people and programs in: signs the tokens
    Auth(Box<auth::Config>),
    /// Decide and book: reads requests, writes postings and settlements
    Ledger(Box<ledger::Config>),
    /// Take payments over HTTP, and tell what became of them
    Payments(Box<payments::Config>),
    /// Show the bank to its staff: the pages under /admin/
    Console(Box<console::Config>),
}

pub(crate) async fn run(Options { service, traces }: Options) -> Result<()> {
    let (name, broker) = service.identity();
    service::start_logging(name);
    service::start_metrics();
    let tracing = traces.start(name)?;
    let shipping = broker.and_then(|broker| service::ship_logs(name, &broker));
    let ended = match service {
        Service::Auth(config) => auth::serve(*config).await,
        Service::Ledger(config) => ledger::serve(*config).await,
        Service::Payments(config) => payments::serve(*config).await,
        Service::Console(config) => console::serve(*config).await,
    };
    if let Some(tracing) = tracing {
        tracing.finish().await;
    }
    if let Some(shipping) = shipping {
        shipping.finish().await;
    }
    ended
}

impl Service {
    /// Its name, and who it is at the broker if it has one.
    fn identity(&self) -> (&'static str, Option<broker::Config>) {
        match self {
            Self::Auth(config) => ("auth", Some(config.service.broker.clone())),
            Self::Ledger(config) => ("ledger", Some(config.service.broker.clone())),
            Self::Payments(config) => ("payments", Some(config.service.broker.clone())),
            Self::Console(config) => ("console", config.broker()),
        }
    }
}
