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
    /// By label: `PostgreSQL`, `NATS`, `nginx`.
    #[serde(default)]
    pub(crate) programs: BTreeMap<String, Program>,
    /// By part: `postgres`, `nats`, `auth` …, and `nats-monitor`, `console`.
    #[serde(default)]
    pub(crate) ports: BTreeMap<String, u16>,
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

    /// Notes the ports and writes it all down.
    pub(crate) fn note_ports(&mut self, home: &Path, ports: &[(&str, u16)]) -> Result<()> {
        let ports = ports.iter().map(|(name, port)| ((*name).to_owned(), *port));
        self.ports.extend(ports);
        self.write(home)
    }

    pub(crate) fn write(&self, home: &Path) -> Result<()> {
        write_private(&home.join(FILE), &serde_json::to_vec_pretty(self)?)
    }
}
