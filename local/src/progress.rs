//! The steps of a start, as they happen: the CLI draws bars, the tests stay silent.

use std::sync::Arc;

/// One thing that happened while starting. `what` is the same text in all steps of one piece of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The work began.
    Started {
        /// Which work: `PostgreSQL`, `ledger` …
        what: String,
    },
    /// The work goes on.
    Advanced {
        /// Which work.
        what: String,
        /// What it does now: `installing`, `starting` …
        now: String,
    },
    /// The work is done.
    Finished {
        /// Which work.
        what: String,
    },
}

/// A callback for [`Step`]s; cheap to clone, called from several tasks.
pub type Progress = Arc<dyn Fn(Step) + Send + Sync>;

/// A [`Progress`] that does nothing.
#[must_use]
pub fn silent() -> Progress {
    Arc::new(|_| {})
}

pub(crate) fn started(progress: &Progress, what: &str) {
    progress(Step::Started {
        what: what.to_owned(),
    });
}

pub(crate) fn advanced(progress: &Progress, what: &str, now: &str) {
    progress(Step::Advanced {
        what: what.to_owned(),
        now: now.to_owned(),
    });
}

pub(crate) fn finished(progress: &Progress, what: &str) {
    progress(Step::Finished {
        what: what.to_owned(),
    });
}
