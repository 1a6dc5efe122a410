//! What can be typed, and which file does it.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::serve;

/// A payment ledger on one machine: every payment request gets one answer, booked double-entry.
#[derive(Debug, Parser)]
#[command(name = "quittance", version, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run one service in the foreground
    #[command(subcommand)]
    Serve(serve::Service),
}

/// Does what was asked. An error is exit code 1.
pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.command {
        Command::Serve(service) => serve::run(service).await?,
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_of_all_commands_fit_together() {
        Arguments::command().debug_assert();
    }
}
