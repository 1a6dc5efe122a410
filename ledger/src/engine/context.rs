//! What the engine works with.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use common::broker::{self, Publisher};
use common::money::Currency;
use sqlx::postgres::{PgConnectOptions, PgPool};
use tokio::sync::watch;

use super::crash::CrashAt;
use super::measures::Measures;
use super::steps::Steps;
use crate::core::rules::Rules;
use crate::receipts::tree::Tree;

/// A batch is a matter of milliseconds; a database that takes this long is gone.
pub(super) const DATABASE_TIMEOUT: Duration = Duration::from_secs(30);

/// What the engine works with.
pub(crate) struct Engine {
    /// For the connections on which the streams are read.
    pub(crate) broker: broker::Config,
    pub(crate) publisher: Publisher,
    pub(crate) jetstream: jetstream::Context,
    pub(crate) pool: PgPool,
    /// For the connections of a leader: one that holds its lock and writes, one that reads.
    pub(crate) database: PgConnectOptions,
    /// 1 to [`BATCH_MESSAGES_MAX`].
    pub(crate) batch_max: usize,
    pub(crate) crash: CrashAt,
    /// The rules that a log is raised to.
    pub(crate) rules: Rules,
    /// The bank has accounts of its own in these.
    pub(crate) currencies: Vec<Currency>,
    pub(crate) stream_replicas: usize,
    /// An experiment: leads although broker or database may lose what they acknowledge.
    pub(crate) unsafe_durability: bool,
    /// When the last batches went through each step.
    pub(crate) steps: Arc<Steps>,
    pub(crate) measures: Measures,
    /// Receipts' tree: it follows what is committed.
    pub(crate) tree: Arc<Tree>,
    /// Says whether the service is ready.
    pub(crate) health: watch::Sender<Health>,
}

/// How the engine does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Health {
    /// It waits for its turn to lead, or tries again after a failure.
    Waiting,
    /// It leads, and writes what there is to write.
    Working,
    /// It has failed to lead [`FAILURES_MAX`] times in a row, the last time for this reason.
    Failing(String),
}

impl Health {
    /// What is wrong, as a sentence about the ledger.
    pub(crate) fn trouble(&self) -> Option<String> {
        match self {
            Self::Waiting | Self::Working => None,
            Self::Failing(reason) => Some(format!("can't lead: {reason}")),
        }
    }
}

impl Engine {
    /// It does what it is there for.
    pub(super) fn works(&self) {
        self.health.send_if_modified(|health| {
            std::mem::replace(health, Health::Working) != Health::Working
        });
    }
}
