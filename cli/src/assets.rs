//! `quittance static`: writes the console's files, for a gateway that serves them.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::print;

/// Options of `quittance static`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Where to; it is made if it is not there
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let count = console::write_assets(&options.directory)?;
    let directory = options.directory.display();
    print::line(&format!(
        "{count} files, and each compressed, are in {directory}."
    ))?;
    Ok(())
}
