//! `quittance`: one binary that opens the bank, runs its services and asks them things.
//!
//! Reading order: [`args`] is what can be typed and where it goes, then one file per group of commands. They share
//! [`bank`] (which one is asked), [`running`] (one on this machine), [`login`] (tokens), [`print`](mod@print) and [`failure`].

mod args;

mod demo_bank;
mod detach;
mod doctor;
mod health;
mod invite_admin;
mod overview;
mod progress;
mod secrets;
mod serve;
mod services;
mod status;
mod up;

mod account;
mod assets;
mod audit;
mod banks;
mod batch;
mod bench;
mod clients;
mod controls;
mod counter;
mod demo;
mod hold;
mod pay;
mod payment;
mod token;
mod transaction;
mod trial_balance;
mod users;
mod watch;

mod account_view;
mod asking;
mod bank;
mod environment;
mod failure;
mod files;
mod keys;
mod login;
mod logs;
mod mandates;
mod migrate;
mod names;
mod print;
mod prompt;
mod running;
mod sending;

use std::process::ExitCode;

/// The services allocate for every header of every message; see `bench/HISTORY.md` for what this one saves.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    if let Err(error) = environment::shed() {
        failure::report(&error);
        return ExitCode::FAILURE;
    }
    // A usage error ends here, with exit code 2.
    let arguments = args::Arguments::read();
    match args::run(arguments).await {
        Ok(code) => code,
        Err(error) if print::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            failure::report(&error);
            failure::Exit::of(&error).into()
        }
    }
}
