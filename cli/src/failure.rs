//! How a command says that something went wrong: `error:`, its causes and, where there is one, a `hint:`; and the exit code,
//! which tells a script what to do.

use std::fmt;
use std::process::ExitCode;

use anyhow::Result;
use client::Refused;

use crate::{logs, print};

/// How a command ended, for scripts. Clap ends with 2 when a command is typed wrongly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Something else.
    Failed,
    /// The bank has decided against it; trying the same again changes nothing.
    Rejected,
    /// It is in the log, and will be decided.
    Undecided,
    /// There is no such thing, or not for this caller.
    NotFound,
    /// No bank is open, or a part of it does not answer. What was asked for may have been done or not.
    Unreachable,
    /// There is no log-in at the bank, or it is over.
    LoggedOut,
}

impl Exit {
    /// The table of the help and the README.
    pub(crate) const TABLE: &str = "\
Exit codes:
  0  done
  1  failed
  2  typed wrongly
  3  rejected: the bank decided against it
  4  not decided yet: it is in the log and will be
  5  not found, or not for this caller
  6  not reachable: no bank is open, or a part does not answer
  7  logged out: log in with `quittance login`";

    /// The code of an error.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        if let Some(exit) = error.downcast_ref::<Self>() {
            return *exit;
        }
        match error.downcast_ref::<client::Error>() {
            Some(client::Error::Silent { .. }) => Self::Unreachable,
            Some(client::Error::Refused(refused)) => Self::of_refusal(refused),
            Some(client::Error::Unreadable { .. } | client::Error::Address(_)) | None => {
                Self::Failed
            }
        }
    }

    /// What a script should make of a refusal.
    fn of_refusal(refused: &Refused) -> Self {
        match refused.status.as_u16() {
            404 => Self::NotFound,
            500.. => Self::Unreachable,
            _ if refused.code().is_some() => Self::Rejected,
            _ => Self::Failed,
        }
    }
}

/// The answer of a service that says no, if the error is one.
pub(crate) fn refusal(error: &anyhow::Error) -> Option<&Refused> {
    error.downcast_ref::<client::Error>()?.refused()
}

/// Whether something was done is unknown: there was no answer, or one that says that something does not answer.
pub(crate) fn is_unknown(error: &anyhow::Error) -> bool {
    error.downcast_ref().is_none_or(client::Error::is_unknown)
}

/// Did a service not answer at all?
pub(crate) fn is_silence(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(client::Error::Silent { .. }))
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Failed => 1,
            Exit::Rejected => 3,
            Exit::Undecided => 4,
            Exit::NotFound => 5,
            Exit::Unreachable => 6,
            Exit::LoggedOut => 7,
        })
    }
}

/// It travels as the context of an error, and is not printed.
impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

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

    /// Says how the command ends because of it.
    fn exit(self, exit: Exit) -> Result<T>;
}

impl<T, E: Into<anyhow::Error>> Hinted<T> for Result<T, E> {
    fn hint(self, text: impl Into<String>) -> Result<T> {
        self.map_err(|error| hinted(error.into(), text))
    }

    fn exit(self, exit: Exit) -> Result<T> {
        self.map_err(|error| error.into().context(exit))
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

/// Prints a warning to standard error.
#[expect(
    clippy::print_stderr,
    reason = "standard output is the answer, which scripts read"
)]
pub(crate) fn warn(text: &str) {
    eprintln!("{}", print::lines(&format!("warning: {text}")));
}

/// The error as it is printed. A cause that only repeats the end of the line before it is left out.
pub(crate) fn text(error: &anyhow::Error) -> String {
    let hint = error.downcast_ref::<Hint>().map(ToString::to_string);
    let exit = error.downcast_ref::<Exit>().map(ToString::to_string);
    let mut lines: Vec<String> = Vec::new();
    for cause in error.chain().map(ToString::to_string) {
        let said = lines
            .last()
            .is_some_and(|line| line.ends_with(cause.trim_end()));
        if !said && hint.as_ref() != Some(&cause) && exit.as_ref() != Some(&cause) {
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
    fn every_exit_code_has_its_section_on_the_page() {
        let page = include_str!("../EXIT_CODES.md");
        let codes = Exit::TABLE.lines().skip(1).map(str::trim);
        let sections: Vec<_> = page
            .lines()
            .filter_map(|line| line.strip_prefix("## "))
            .collect();
        for (line, section) in codes.clone().zip(&sections) {
            let (code, meaning) = line.split_once("  ").expect("a code and its meaning");
            let words = meaning.split([':', ',']).next().unwrap_or_default();
            assert_eq!(**section, format!("{code}: {words}"));
        }
        assert_eq!(sections.len(), codes.count());
    }

    #[test]
    fn an_error_is_told_with_its_causes_and_ends_with_the_hint() {
        let error = Err::<(), _>(anyhow!("connection refused"))
            .context("auth does not answer")
            .exit(Exit::Unreachable)
            .hint("start the bank with `quittance up`")
            .context("no token")
            .unwrap_err();
        assert_eq!(Exit::of(&error), Exit::Unreachable);
        assert_eq!(
            text(&error),
            "error: no token\n  because auth does not answer\n  because connection refused\nhint: start the bank with `quittance up`"
        );
    }
}
