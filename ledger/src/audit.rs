//! Whether the books are what the log leads to.

mod replay;

pub use replay::{ReplayError, Summary, Verdict, replay};
