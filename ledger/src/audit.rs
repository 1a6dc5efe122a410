//! Whether the books are what the log leads to.

mod error;

mod export;
pub mod log_file;

mod source;

mod decided_log;
mod published;
mod snapshot;
mod trusted;

mod holds;

mod compare;

mod replay;
mod verify;

pub use error::ReplayError;
pub use export::export;
pub use replay::{Compared, Sources, Summary, Verdict, replay, replay_file, replay_from};
pub use verify::{Part, Soundness, Verified, verify};
