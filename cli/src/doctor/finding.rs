//! What is found by one check.

use std::fmt::Display;

use serde::Serialize;

use super::runbook::Runbook;

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Well,
    /// It works, and will not for long.
    Soon,
    Bad,
    /// Nobody could be asked.
    Unknown,
}

impl State {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Soon => "soon",
            Self::Bad => "BAD",
            Self::Unknown => "unknown",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) check: String,
    pub(super) state: State,
    /// A sentence without a full stop.
    pub(super) detail: String,
    /// What to do about it.
    pub(super) next: Option<String>,
    pub(super) runbook: Option<Runbook>,
}

impl Finding {
    pub(super) fn well(check: &str, detail: impl Display) -> Self {
        Self {
            check: check.to_owned(),
            state: State::Well,
            detail: detail.to_string(),
            next: None,
            runbook: None,
        }
    }

    pub(super) fn bad(
        check: &str,
        detail: impl Display,
        next: impl Into<String>,
        runbook: Runbook,
    ) -> Self {
        Self {
            state: State::Bad,
            next: Some(next.into()),
            runbook: Some(runbook),
            ..Self::well(check, detail)
        }
    }

    pub(super) fn soon(
        check: &str,
        detail: impl Display,
        next: impl Into<String>,
        runbook: Runbook,
    ) -> Self {
        Self {
            state: State::Soon,
            ..Self::bad(check, detail, next, runbook)
        }
    }

    /// Whoever knows does not answer. Mostly that is a finding of its own, which says what to do.
    pub(super) fn unknown(check: &str, why: impl Display) -> Self {
        Self {
            state: State::Unknown,
            ..Self::well(check, why)
        }
    }
}
