//! `quittance migrate`: brings the tables of one service up to this version. `quittance up` does it before it starts the
//! services; in containers it is a container of its own, the only one that knows the owner's password.

use anyhow::Result;
use clap::Subcommand;
use common::service::{self, Owner};

use crate::print;

/// Of which service.
#[derive(Debug, Subcommand)]
pub(crate) enum Service {
    /// People, service accounts, keys
    Auth(Owner),
    /// The books
    Ledger(Owner),
    /// What became of payments
    Payments(Owner),
}

pub(crate) async fn run(service: Service) -> Result<()> {
    let name = match &service {
        Service::Auth(_) => "auth",
        Service::Ledger(_) => "ledger",
        Service::Payments(_) => "payments",
    };
    service::start_logging(name);
    match service {
        Service::Auth(owner) => auth::migrate(&owner).await?,
        Service::Ledger(owner) => ledger::migrate(&owner).await?,
        Service::Payments(owner) => payments::migrate(&owner).await?,
    }
    Ok(print::line(&format!(
        "The tables of {name} are those of this version."
    ))?)
}
