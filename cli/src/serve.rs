//! `quittance serve`: runs one service in this process. `quittance up` starts three of these; so does a container.

use anyhow::Result;
use clap::Subcommand;
use common::service;

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

pub(crate) async fn run(service: Service) -> Result<()> {
    service::start_logging();
    service::start_metrics();
    match service {
        Service::Auth(config) => auth::serve(*config).await,
        Service::Ledger(config) => ledger::serve(*config).await,
        Service::Payments(config) => payments::serve(*config).await,
        Service::Console(config) => console::serve(*config).await,
    }
}
