//! Which server programs can go on with the data that a home has.

use std::path::PathBuf;

/// What a home knows of one server: the program of its last start, and what its data need.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) program: Option<PathBuf>,
    pub(crate) need: Need,
}

/// The versions that can read the data of a home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// There are no data yet.
    Any,
    /// PostgreSQL reads the data of its own major version only.
    Major(u32),
    /// A nats-server may store what an older one does not read.
    AtLeast((u32, u32)),
}

impl Kept {
    /// Nothing: a home without data.
    pub(crate) const NOTHING: Self = Self {
        program: None,
        need: Need::Any,
    };
}

impl Need {
    /// Does this version read the data?
    pub(crate) fn is_met_by(self, version: (u32, u32)) -> bool {
        match self {
            Self::Any => true,
            Self::Major(major) => version.0 == major,
            Self::AtLeast(oldest) => version >= oldest,
        }
    }

    /// What is needed, in words: `15`, `2.15 or newer`.
    pub(crate) fn words(self) -> Option<String> {
        match self {
            Self::Any => None,
            Self::Major(major) => Some(major.to_string()),
            Self::AtLeast((major, minor)) => Some(format!("{major}.{minor} or newer")),
        }
    }
}
