//! What every service needs to know when it starts.

use std::net::SocketAddr;

use super::database::Database;
use crate::broker;

/// What every service needs to know. Each option can also be given in the environment.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct Config {
    /// Address to serve HTTP on.
    #[arg(long, env = "QUITTANCE_LISTEN")]
    pub listen: SocketAddr,
    /// The broker.
    #[command(flatten)]
    pub broker: broker::Config,
    /// The databases.
    #[command(flatten)]
    pub database: Database,
    /// Stop when standard input ends: whoever started this has died.
    #[arg(long, env = "QUITTANCE_STOP_WITH_PARENT", action = clap::ArgAction::Set, default_value_t = false, num_args = 0..=1, default_missing_value = "true")]
    pub stop_with_parent: bool,
}
