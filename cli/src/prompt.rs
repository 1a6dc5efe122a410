//! A question to whoever sits at the terminal. Scripts are never asked: they would hang.

use std::env;
use std::io::{self, IsTerminal as _, Write as _};

use anyhow::Result;

/// A code of the second factor: from `QUITTANCE_OTP`, else asked for. `None` when nobody sits there, or nothing is typed. It
/// passes once, so it may be seen.
pub(crate) fn code() -> Result<Option<String>> {
    if let Ok(code) = env::var("QUITTANCE_OTP") {
        return Ok(Some(code));
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(None);
    }
    write!(io::stderr(), "Code of the second factor: ")?;
    io::stderr().flush()?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    let code = line.trim();
    Ok((!code.is_empty()).then(|| code.to_owned()))
}
