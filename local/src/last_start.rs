//! What a home notes of its last start, so that the next one is alike: which server programs ran, and on which ports.
//!
//! Nothing depends on it: a home whose note is lost starts as one that never had any.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::secrets::write_private;

const FILE: &str = "last-start.json";

/// The note. A part of it that is missing was never started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastStart {
    /// By label: `PostgreSQL`, `NATS`.
    #[serde(default)]
    pub(crate) programs: BTreeMap<String, Program>,
}

/// A server program as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    /// Major and minor.
    pub(crate) version: (u32, u32),
}

impl LastStart {
    /// The note in this home; an empty one when there is none that can be read.
    pub(crate) fn read(home: &Path) -> Self {
        let bytes = fs::read(home.join(FILE)).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    pub(crate) fn write(&self, home: &Path) -> Result<()> {
        write_private(&home.join(FILE), &serde_json::to_vec_pretty(self)?)
    }
}
