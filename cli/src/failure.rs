//! How a command says that something went wrong: `error:`, its causes and, where there is one, a `hint:`.

use std::fmt;

use anyhow::Result;

use crate::{logs, print};

/// What the reader of an error can do about it. It travels as the context of an error: see [`Hinted`].
#[derive(Debug)]
struct Hint(String);

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Adds hints to errors.
pub(crate) trait Hinted<T> {
    /// Adds what the reader can do.
    fn hint(self, text: impl Into<String>) -> Result<T>;
}

impl<T, E: Into<anyhow::Error>> Hinted<T> for Result<T, E> {
    fn hint(self, text: impl Into<String>) -> Result<T> {
        self.map_err(|error| hinted(error.into(), text))
    }
}

/// The same for an error alone.
pub(crate) fn hinted(error: anyhow::Error, text: impl Into<String>) -> anyhow::Error {
    error.context(Hint(text.into()))
}

/// Prints an error with its causes to standard error.
#[expect(
    clippy::print_stderr,
    reason = "this is where a command tells its errors"
)]
pub(crate) fn report(error: &anyhow::Error) {
    eprintln!("{}", print::lines(&text(error)));
}

/// The error as it is printed. A cause that only repeats the end of the line before it is left out.
pub(crate) fn text(error: &anyhow::Error) -> String {
    let hint = error.downcast_ref::<Hint>().map(ToString::to_string);
    let mut lines: Vec<String> = Vec::new();
    for cause in error.chain().map(ToString::to_string) {
        let said = lines
            .last()
            .is_some_and(|line| line.ends_with(cause.trim_end()));
        if !said && hint.as_ref() != Some(&cause) {
            let label = if lines.is_empty() {
                "error: "
            } else {
                "  because "
            };
            let cause: Vec<_> = cause.lines().map(logs::readable).collect();
            lines.push(format!("{label}{}", cause.join("\n")));
        }
    }
    lines.extend(hint.map(|hint| format!("hint: {hint}")));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context as _, anyhow};

    #[test]
    fn an_error_is_told_with_its_causes_and_ends_with_the_hint() {
        let error = Err::<(), _>(anyhow!("connection refused"))
            .context("auth does not answer")
            .hint("start the bank with `quittance up`")
            .context("no token")
            .unwrap_err();
        assert_eq!(
            text(&error),
            "error: no token\n  because auth does not answer\n  because connection refused\nhint: start the bank with `quittance up`"
        );
    }
}
