//! Why the projection stops.

use common::broker::ReadError;

use super::rows::NewerRules;

/// Why the projection stopped; a person has to look at it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProjectionError {
    /// The log has a gap.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The ledger is newer than this service.
    #[error(transparent)]
    NewerRules(#[from] NewerRules),
    /// The log is not the one that was projected.
    #[error(
        "stream {stream} ends at {last} but is projected up to {cursor}: the log was lost or replaced; \
         if that was meant, empty the payments database and it is projected anew"
    )]
    Shortened {
        stream: &'static str,
        last: u64,
        cursor: u64,
    },
}
