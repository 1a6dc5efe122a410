//! `quittance logout`: ends a log-in at the bank, and removes what was kept of it.

use anyhow::{Result, anyhow};
use clap::Args;

use super::files::{Files, parse_name};
use super::kept::KeptWho;
use super::session::{client_of, name_of};
use crate::bank::Choice;
use crate::failure::{Exit, Hinted as _, hinted};
use crate::print;
use crate::running::program;

/// Options of `quittance logout`.
#[derive(Debug, Args)]
pub(crate) struct LogOut {
    /// Which bank [default: that of --bank, else the one in use]
    #[arg(value_parser = parse_name)]
    name: Option<String>,
    /// Remove what was kept without asking the bank; its session lasts until it ends by itself
    #[arg(long)]
    forget: bool,
}

/// Logs out.
pub(crate) async fn run(options: &LogOut, choice: &Choice) -> Result<()> {
    let files = Files::of_user()?;
    let name = match (&options.name, choice.elsewhere()) {
        (Some(name), _) => Some(name.clone()),
        (None, Some(named)) => Some(name_of(&files, named)?),
        (None, None) if choice.is_here() => {
            return Err(anyhow!("nobody logs in to the bank on this machine"))
                .hint("say which bank elsewhere is meant");
        }
        (None, None) => files.in_use(),
    };
    let none = |what: String| {
        Err(anyhow!(what)).exit(Exit::NotFound).hint(format!(
            "`{} banks` shows where you are logged in",
            program()
        ))
    };
    let Some(name) = name else {
        return none("no bank is in use".to_owned());
    };
    let Some(held) = files.hold(&name).await? else {
        return none(format!("no bank is called {name}"));
    };
    let mut ended = "The bank was not asked; its session lasts until it ends by itself.";
    if let (KeptWho::Person { refresh, .. }, false) = (&held.kept.who, options.forget) {
        let client = client_of(&held.kept.url, held.kept.ca.as_deref())?;
        ended = match client.log_out(refresh).await {
            Ok(()) => "Its session is over.",
            Err(error) if error.refused().is_some_and(|refused| refused.status == 401) => {
                "Its session was over already."
            }
            Err(error) => {
                let error =
                    anyhow::Error::from(error).context(format!("still logged in to {name}"));
                let hint =
                    "`--forget` removes it here all the same; the session then ends by itself";
                return Err(hinted(error, hint));
            }
        };
    } else if let KeptWho::Program { .. } = &held.kept.who {
        ended = "Its secret is still good; the bank's staff ends it.";
    }
    held.remove()?;
    if files.in_use().as_deref() == Some(&name) {
        files.set_in_use(None)?;
    }
    print::line(&format!("Logged out of {name}. {ended}"))?;
    Ok(())
}
