//! Where this user's files belong, and short names for them.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result};

/// A directory of the XDG kind: the variable, else below the user's home.
///
/// # Errors
/// When neither the variable nor `HOME` is set.
pub fn xdg(variable: &str, below_home: &str) -> Result<PathBuf> {
    if let Some(path) = env::var_os(variable)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
    {
        return Ok(path);
    }
    let home = env::var_os("HOME").filter(|home| !home.is_empty());
    let home = home.with_context(|| format!("neither {variable} nor HOME is set"))?;
    Ok(PathBuf::from(home).join(below_home))
}

/// 32-bit FNV-1a: short names that stay the same from one build to the next (std's hasher may not).
pub(crate) fn short_hash(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    });
    format!("{hash:08x}")
}
