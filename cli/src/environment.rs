//! The variables of the user's shell that libraries would read: with `PGOPTIONS` or `PGHOST` in it, PostgreSQL's client would
//! go elsewhere, or find no schema. None of them may reach our connections.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, Result};

/// Starts this program anew without these variables, if there are any.
///
/// A process can't safely take variables out of its own environment, but a new one can begin without them.
pub(crate) fn shed() -> Result<()> {
    let foreign: Vec<OsString> = env::vars_os()
        .map(|(name, _)| name)
        .filter(|name| name.as_encoded_bytes().starts_with(b"PG"))
        .collect();
    if foreign.is_empty() {
        return Ok(());
    }
    let this = env::current_exe().context("the path of this program is not known")?;
    let mut again = Command::new(this);
    again.args(env::args_os().skip(1));
    for name in foreign {
        again.env_remove(name);
    }
    // It returns only when it could not begin.
    Err(again.exec()).context("this program can't be started again")
}
