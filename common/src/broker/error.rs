//! What can go wrong between a stream and us.

use crate::wire::SETTLEMENTS;

/// Why reading stopped.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A message is missing: the log was damaged, or is not the one that was read before.
    #[error("stream {stream} jumps from {expected} to {found}")]
    Gap {
        /// The stream.
        stream: String,
        /// The sequence that was due.
        expected: u64,
        /// The one that came.
        found: u64,
    },
    /// The broker does not do its part; trying again may help.
    #[error("reading {stream} failed: {cause}")]
    Broker {
        /// The stream.
        stream: String,
        /// What it said.
        cause: String,
    },
}

impl ReadError {
    /// An answer that can't be read.
    pub(crate) fn unreadable(sequence: u64, cause: &dyn std::fmt::Display) -> Self {
        Self::Broker {
            stream: SETTLEMENTS.to_owned(),
            cause: format!("answer {sequence} can't be read: {cause}"),
        }
    }
}

/// Why nothing was stored, as far as we know.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The stream does not end where the caller expected: somebody else has written.
    #[error("the stream does not end where expected: {0}")]
    WrongLastSequence(String),
    /// The broker has no room for another batch, or has thrown this one away half-way; none of it is stored.
    ///
    /// Anybody who may publish can take the stream's few places for batches. So this says nothing about the messages:
    /// each may be published alone.
    #[error("the broker did not take the batch: {0}")]
    Incomplete(String),
    /// The broker refuses, or would.
    #[error("the broker refuses: {0}")]
    Refused(String),
    /// No answer, or no broker. As far as we know, the messages may be stored or not.
    #[error("the broker does not answer: {0}")]
    Unanswered(String),
    /// Not a JetStream acknowledgement.
    #[error("the broker's answer can't be read: {0}")]
    Unreadable(#[from] serde_json::Error),
}
