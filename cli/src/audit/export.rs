//! `quittance audit export`: the whole log in one file.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use common::service::stop_signal;
use indicatif::HumanBytes;
use ledger::audit;

use super::{bar, moving};
use crate::failure::{Hinted as _, warn};
use crate::print;
use crate::running::Running;

/// Options of `quittance audit export`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Where the log is written to. It holds every token that the log holds: only you will be able to read it
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(options: &Options, home: &Path) -> Result<()> {
    let file = &options.file;
    if file.exists() && !options.force {
        let exists: Result<()> = Err(anyhow::anyhow!("{} is there already", file.display()));
        return exists.hint("`--force` replaces it");
    }
    let running = Running::find(home)?;
    let broker = running.auditor_config()?;
    let stop = stop_signal()?;
    let bar = bar("exporting", "requests", options.json);
    let exported = stop
        .run_until_cancelled(audit::export(&broker, file, moving(&bar)))
        .await;
    bar.finish_and_clear();
    let Some(exported) = exported else {
        bail!("interrupted: nothing was written to {}", file.display());
    };
    let exported = exported.with_context(|| format!("{} can't be written", file.display()))?;
    if options.json {
        return Ok(print::json(&exported)?);
    }
    print::line(&format!(
        "{}: {} requests and {} answers, {}.",
        file.display(),
        exported.requests,
        exported.answers,
        HumanBytes(exported.bytes)
    ))?;
    warn("the file holds every token of the log: it is as secret as the log");
    Ok(())
}
