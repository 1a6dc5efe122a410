//! Under which path the console is seen: `/admin` behind a gateway, the root alone. Links carry it.

use common::http::prefix;

/// What stands before every path of ours, such as `/admin`; empty at the root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Prefix(String);

impl Prefix {
    /// Of the request that is answered. What is made later, for a stream, has to keep it.
    pub(crate) fn here() -> Self {
        Self(prefix::here())
    }

    /// A path of ours as a browser must ask for it.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}
