//! `quittance`: one binary that starts the bank, runs its services and asks them things.
//!
//! Reading order: [`args`] is what can be typed and where it goes, then one file per command. [`client`] is the HTTP
//! side that the commands share, [`print`] what they print with, [`failure`] how they say that something went wrong.

mod args;

mod serve;

mod failure;

use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    // A usage error ends here, with exit code 2.
    let arguments = args::Arguments::parse();
    match args::run(arguments).await {
        Ok(code) => code,
        Err(error) => {
            failure::report(&error);
            ExitCode::FAILURE
        }
    }
}
