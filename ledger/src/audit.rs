//! Whether the books are what the log leads to.

mod error;

mod decided_log;
mod published;
mod snapshot;
mod trusted;

mod holds;

mod compare;

mod replay;

pub use error::ReplayError;
pub use replay::{Sources, Summary, Verdict, replay, replay_from};
