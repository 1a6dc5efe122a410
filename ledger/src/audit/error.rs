//! Why a replay or an export ends before the end.

use async_nats::jetstream;
use common::broker::ReadError;

use super::log_file::LogFileError;
use crate::core::rules::NewerRules;

/// Why a replay or an export could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The broker.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The broker does not let us in.
    #[error("the broker: {0}")]
    Connect(#[from] async_nats::ConnectError),
    /// The broker, asked about a stream.
    #[error("the broker: {0}")]
    Broker(#[from] jetstream::context::GetStreamError),
    /// The log in a file.
    #[error(transparent)]
    File(#[from] LogFileError),
    /// The log, or the database, is of a newer program.
    #[error(transparent)]
    NewerRules(#[from] NewerRules),
    /// The database.
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
}

/// A difference that was found, or a failure.
pub(super) enum Stop {
    Differs(String),
    Failed(ReplayError),
}

impl<E: Into<ReplayError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}
