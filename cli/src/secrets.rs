//! `quittance secrets`: what the containers of `compose.yaml` are given at their birth, one file for each secret.

use std::path::PathBuf;

use anyhow::Result;
use local::Secrets;

use crate::print;

/// Options of `quittance secrets`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Where to; `compose.yaml` looks in .quittance/secrets
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// File, in the containers, with the certificates (PEM) of who may vouch for PostgreSQL. With it, the services demand TLS
    /// from their databases, as compose.tls.yaml needs it
    #[arg(long, value_name = "FILE")]
    database_ca: Option<PathBuf>,
}

/// Makes what is missing. What is there stays: the databases know the passwords by now.
pub(crate) fn run(options: &Options) -> Result<()> {
    let directory = &options.directory;
    Secrets::make_files(directory, options.database_ca.as_deref())?;
    print::line(&format!(
        "The secrets are in {}. Whoever can read them has the bank.",
        directory.display()
    ))?;
    Ok(())
}
