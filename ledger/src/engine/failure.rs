//! Why leading ends: for now, or for good.

use common::broker::{PublishError, ReadError, StreamsError};

use super::context::DATABASE_TIMEOUT;
use crate::core::rules::NewerRules;

/// Why the engine stops for good, and a person decides: the log and the books contradict each other, or would not survive.
#[derive(Debug, thiserror::Error)]
pub enum Halt {
    /// The log ends before the last decided request.
    #[error(
        "REQUESTS ends at {log} but {cursor} requests are decided: the log was lost or replaced. \
         Restore the broker's files, or restore a database that is not ahead of this log"
    )]
    LogShort {
        /// Last sequence of the log.
        log: u64,
        /// The cursor.
        cursor: u64,
    },
    /// There are more answers than requests.
    #[error(
        "SETTLEMENTS ends at {settlements} but REQUESTS at {log}: the log was lost or replaced"
    )]
    AnswersAhead {
        /// Last sequence of SETTLEMENTS.
        settlements: u64,
        /// Last sequence of the log.
        log: u64,
    },
    /// Another request stands where the last decided one stood.
    #[error("request {0} in the log is not the one that was decided: the log was replaced")]
    LogReplaced(u64),
    /// A published answer is not what these requests lead to.
    #[error("the published answers contradict the log and the books: {0}")]
    AnswerDiffers(String),
    /// The log, or the database, is of a newer program.
    #[error(transparent)]
    NewerRules(NewerRules),
    /// Broker or database may lose what they acknowledge.
    #[error(
        "what was acknowledged could be lost: {}. Only an experiment goes on like this, with \
         QUITTANCE_UNSAFE_DURABILITY=true",
        sentences(.0)
    )]
    Unsafe(Vec<UnsafeSetting>),
    /// A stream has settings under which messages can be lost.
    #[error(transparent)]
    UnsafeStream(StreamsError),
    /// A sequence is missing from the log.
    #[error(transparent)]
    Gap(ReadError),
}

/// A setting under which something that was acknowledged can be lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place} has {setting}={value}: {remedy}")]
pub struct UnsafeSetting {
    pub(super) place: String,
    pub(super) setting: String,
    pub(super) value: String,
    pub(super) remedy: &'static str,
}

/// Why one try to lead ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Halt(#[from] Halt),
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("the broker: {0}")]
    Broker(String),
    #[error("the database: no answer for {} s", DATABASE_TIMEOUT.as_secs())]
    Stalled,
    #[error("another ledger has decided from {0} on")]
    Overtaken(u64),
}

fn sentences(settings: &[UnsafeSetting]) -> String {
    let sentences: Vec<_> = settings.iter().map(ToString::to_string).collect();
    sentences.join("; ")
}

impl From<StreamsError> for Failure {
    fn from(error: StreamsError) -> Self {
        match error {
            differs @ StreamsError::Unsafe { .. } => Self::Halt(Halt::UnsafeStream(differs)),
            broker @ StreamsError::Broker(_) => Self::Broker(broker.to_string()),
        }
    }
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        Self::Broker(error.to_string())
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            gap @ ReadError::Gap { .. } => Self::Halt(Halt::Gap(gap)),
            broker @ ReadError::Broker { .. } => Self::Broker(broker.to_string()),
        }
    }
}
