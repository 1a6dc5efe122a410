//! Which bank a command asks: the one place that decides it.
//!
//! `--bank` comes first, then `QUITTANCE_BANK`. Without both it is the bank on this machine; and where none was ever opened,
//! and neither `--home` nor `QUITTANCE_HOME` says that one is, the bank in use of those that one is logged in to, which is said.
//! So nothing changes for whoever has a bank at its usual place, and one that is closed is not taken for another: whether a
//! payment goes to production must not hang on a process.

use std::env;
use std::path::PathBuf;
use std::sync::Once;

use anyhow::{Context as _, Result, anyhow};
use client::Client;
use local::{Demo, Home};

use crate::banks::files::Files;
use crate::banks::session::Elsewhere;
use crate::failure::{Exit, Hinted as _, warn};
use crate::running::{Running, invocation, program};

/// What `--bank` and `QUITTANCE_BANK` say for the bank on this machine.
pub(crate) const HERE: &str = "local";

/// A command says once that it asks a bank that it did not name.
static SAID: Once = Once::new();

/// A bank that answers commands.
pub(crate) enum Bank {
    /// The one that runs in a home on this machine.
    Here(Running),
    /// One behind a gateway, with a log-in that was kept.
    Elsewhere(Elsewhere),
}

/// What the command line and the environment say about the bank.
#[derive(Debug)]
pub(crate) struct Choice {
    /// `--home`.
    home: Option<PathBuf>,
    /// `--bank` or `QUITTANCE_BANK`.
    bank: Option<String>,
    /// It is `--bank`.
    is_option: bool,
}

impl Choice {
    /// `--home` and `--bank`. What is typed beats the environment.
    pub(crate) fn new(home: Option<PathBuf>, bank: Option<String>) -> Self {
        let is_option = bank.is_some();
        let of_environment = || {
            let named = env::var("QUITTANCE_BANK").ok();
            named.filter(|named| !named.is_empty() && home.is_none())
        };
        let bank = bank.or_else(of_environment);
        Self {
            home,
            bank,
            is_option,
        }
    }

    /// The name or address of a bank elsewhere, if one was named.
    pub(crate) fn elsewhere(&self) -> Option<&str> {
        self.bank.as_deref().filter(|bank| *bank != HERE)
    }

    /// Whether the bank on this machine was named.
    pub(crate) fn is_here(&self) -> bool {
        self.bank.as_deref() == Some(HERE)
    }

    /// The home of the bank on this machine.
    ///
    /// # Errors
    /// When there is no usable path.
    pub(crate) fn home(&self) -> Result<PathBuf> {
        match &self.home {
            Some(home) => std::path::absolute(home).context("--home is no usable path"),
            None => Home::default_path(),
        }
    }

    /// The same for a command that needs more of a bank than its gateway.
    ///
    /// # Errors
    /// When a bank elsewhere was named.
    pub(crate) fn home_for(&self, command: &str, needs: &str) -> Result<PathBuf> {
        match self.elsewhere() {
            None => self.home(),
            Some(bank) => Err(anyhow!(
                "`{command}` needs {needs}, and {bank} is reached by its gateway only"
            ))
            .hint("run it on that bank's machine; for the bank on this one say `--bank local`"),
        }
    }

    /// The bank that is asked.
    ///
    /// # Errors
    /// When the one on this machine is closed, or none is in use, or the log-in can't be used.
    pub(crate) fn bank(&self) -> Result<Bank> {
        if let Some(named) = self.elsewhere() {
            let there = Elsewhere::find(Files::of_user()?, named, self.is_option)?;
            return Ok(Bank::Elsewhere(there));
        }
        let home = self.home()?;
        let error = match Running::find(&home) {
            Ok(running) => return Ok(Bank::Here(running)),
            Err(error) => error,
        };
        let variable = env::var_os("QUITTANCE_HOME").filter(|home| !home.is_empty());
        let is_meant = self.bank.is_some() || self.home.is_some() || variable.is_some();
        if is_meant || Exit::of(&error) != Exit::Unreachable {
            return Err(error);
        }
        let in_use = Files::of_user().ok();
        let in_use = in_use.and_then(|files| Some((files.in_use()?, files)));
        match in_use {
            Some((name, _)) if Home::is_one(&home) => Err(anyhow!("{}", error.root_cause()))
                .exit(Exit::Unreachable)
                .hint(format!(
                    "start it with `{} up`, or say `--bank {name}` for the one that you are logged in to",
                    program()
                )),
            Some((name, files)) => {
                let there = Elsewhere::find(files, &name, false)?;
                SAID.call_once(|| warn(&format!("this asks {name}, at {}", there.url)));
                Ok(Bank::Elsewhere(there))
            }
            None => Err(error),
        }
    }

    /// How this program is called for the same bank again.
    pub(crate) fn invocation(&self) -> Option<String> {
        match self.bank() {
            Ok(bank) => Some(bank.invocation()),
            Err(_) => self.home().ok().map(|home| invocation(&home)),
        }
    }
}

impl Bank {
    /// A client of its services.
    pub(crate) fn client(&self) -> Client {
        match self {
            Self::Here(running) => running.client(),
            Self::Elsewhere(there) => there.client(),
        }
    }

    /// The people and programs of the demo bank, which has their passwords.
    pub(crate) fn demo(&self) -> Option<&Demo> {
        match self {
            Self::Here(running) => running.status.demo.as_ref(),
            Self::Elsewhere(_) => None,
        }
    }

    /// How this program is called for this bank.
    pub(crate) fn invocation(&self) -> String {
        match self {
            Self::Here(running) => invocation(&running.home),
            Self::Elsewhere(there) => there.invocation(),
        }
    }
}

/// What an error means at the bank that was asked, and what to do about it.
pub(crate) async fn explained(error: anyhow::Error, choice: &Choice) -> anyhow::Error {
    match choice.bank() {
        Ok(Bank::Elsewhere(there)) => there.explained(error).await,
        Ok(Bank::Here(_)) | Err(_) => error,
    }
}
