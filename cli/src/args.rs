//! What can be typed, and which file does it.

use std::mem;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use clap_complete::Shell;
use common::service;

use crate::bank::Choice;
use crate::counter::Way;
use crate::failure::{self, Exit, hinted};
use crate::{
    account, assets, audit, bank, banks, batch, bench, clients, counter, demo, doctor, files,
    health, hold, invite_admin, keys, logs, mandates, migrate, pay, payment, print, secrets, serve,
    services, status, token, transaction, trial_balance, up, users, watch,
};

/// A payment ledger on one machine: every payment request gets one answer, booked double-entry.
#[derive(Debug, Parser)]
#[command(
    name = "quittance",
    version,
    arg_required_else_help = true,
    max_term_width = print::WIDTH,
    after_help = Exit::TABLE
)]
pub(crate) struct Arguments {
    // Not clap's `env`: the library reads the variable too, and takes an empty one for none.
    #[arg(
        long,
        global = true,
        display_order = 900,
        value_name = "DIR",
        help = "The directory that holds the bank [env: QUITTANCE_HOME] [default: one per checkout]"
    )]
    home: Option<PathBuf>,
    // Not clap's `env` here too: what is typed as --home beats the variable.
    #[arg(
        long,
        global = true,
        display_order = 901,
        value_name = "NAME|URL",
        help = "A bank that you are logged in to, or `local` [env: QUITTANCE_BANK] [default: the one on this machine; where there is none, the one in use]"
    )]
    bank: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Open the demo bank: start everything it needs, and keep it open until Ctrl-C
    Up(up::Up),
    /// Close the bank
    Down,
    /// Show where everything is and how it does
    Status(status::Options),
    /// Ask everything that tells whether the bank is well, and say what to do
    Doctor(doctor::Options),
    /// Tell the story of three payments, on the bank that is open
    Demo(demo::Options),
    /// Log in to a bank elsewhere, so that the other commands reach it
    Login(banks::LogIn),
    /// End a log-in, at the bank and here
    Logout(banks::LogOut),
    /// Show which banks you are logged in to, and which one commands ask
    Banks(banks::Options),
    /// Log in and print the access token
    Token(token::Token),
    /// Open, show and list accounts, as they are and as they were
    #[command(subcommand)]
    Account(account::Command),
    /// Show all accounts by currency and category, now or as they were
    TrialBalance(trial_balance::Options),
    /// Make, show and end service accounts: the programs that get tokens
    #[command(subcommand)]
    Clients(clients::Command),
    /// Move money from one account to another
    Pay(pay::Pay),
    /// Take in money for an account
    Deposit(counter::Counter),
    /// Pay money out of an account
    Withdraw(counter::Counter),
    /// Hold money on an account, to capture or void it later
    Hold(hold::Hold),
    /// Book a hold, or a part of it
    Capture(hold::Capture),
    /// Free what a hold still holds
    Void(hold::Void),
    /// Book a payment back, in full or in part, or a transaction, whole
    Reverse(hold::Reverse),
    /// Book several postings at once: fees, splits, exchanges
    Transaction(transaction::Transaction),
    /// Pay many at once, and show what became of each
    #[command(subcommand)]
    Batch(batch::Command),
    /// Show payments
    #[command(subcommand)]
    Payment(payment::Command),
    /// Say who may log in, and lock somebody out
    #[command(subcommand)]
    Users(users::Command),
    /// Let a program pay in somebody's name, and end that
    #[command(subcommand)]
    Mandates(mandates::Command),
    /// List, rotate and revoke the keys that tokens are signed with
    #[command(subcommand)]
    Keys(keys::Command),
    /// Have statements and parts of the log made as files
    #[command(subcommand)]
    File(files::Command),
    /// Show which services run, where, and how they do
    Services(services::Options),
    /// Show what services logged, in one place
    Logs(logs::Options),
    /// Print answers as the ledger publishes them
    Watch(watch::Watch),
    /// Check the books against the log, and show what happened in auth
    #[command(subcommand)]
    Audit(audit::Command),
    /// Measure how fast banks of its own are, and check their books
    Bench(bench::Options),
    /// Bring the tables of one service up to this version
    #[command(subcommand)]
    Migrate(migrate::Service),
    /// Run one service in the foreground
    Serve(serve::Options),
    /// Print a code that makes the first administrator of a bank in containers
    InviteAdmin(invite_admin::Options),
    /// Say whether the service at an address is ready: for a container's health check
    Health(health::Options),
    /// Make the passwords and keys of a bank in containers, a file each
    Secrets(secrets::Options),
    /// Write the files that the pages of the console need, for a gateway that serves them
    Static(assets::Options),
    /// Print a script that completes commands and options in your shell
    Completions {
        /// Which shell
        shell: Shell,
    },
}

impl Arguments {
    /// The command line, the environment, and the files that it names for the services' secrets.
    /// An error in them ends the process with exit code 2.
    pub(crate) fn read() -> Self {
        let mut command = Self::command();
        let mut outcome = Ok(());
        if let Some(command) = command.find_subcommand_mut("invite-admin") {
            match service::read_secret_files(mem::take(command)) {
                Ok(with_files) => *command = with_files,
                Err(error) => outcome = Err(error),
            }
        }
        for name in ["serve", "migrate"] {
            let services = command.find_subcommand_mut(name).into_iter();
            for service in services.flat_map(clap::Command::get_subcommands_mut) {
                match service::read_secret_files(mem::take(service)) {
                    Ok(with_files) => *service = with_files,
                    Err(error) => outcome = Err(error),
                }
            }
        }
        if let Err(error) = outcome {
            command.error(ErrorKind::Io, format!("{error:#}")).exit();
        }
        let matches = command.try_get_matches();
        let matches = matches.unwrap_or_else(|error| with_tip(error).exit());
        let arguments = Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        if arguments.home.is_some() && arguments.bank.is_some() {
            let text = "--home names a bank on this machine and --bank another: give one of them";
            let kind = ErrorKind::ArgumentConflict;
            Self::command().error(kind, text).exit();
        }
        arguments
    }
}

/// What people type who know other programs, and what we call it.
const OTHER_WORDS: [(&str, &str); 29] = [
    ("accounts", "account list"),
    ("balance", "account balance"),
    ("balances", "account list"),
    ("bank", "banks"),
    ("check", "doctor"),
    ("close", "down"),
    ("context", "banks"),
    ("contexts", "banks"),
    ("diagnose", "doctor"),
    ("export", "audit export"),
    ("history", "payment list"),
    ("list", "payment list"),
    ("log", "watch"),
    ("logoff", "logout"),
    ("open", "up"),
    ("payments", "payment list"),
    ("replay", "audit replay"),
    ("run", "up"),
    ("send", "pay"),
    ("signin", "login"),
    ("start", "up"),
    ("statement", "account statement"),
    ("stop", "down"),
    ("switch", "banks use"),
    ("tail", "watch"),
    ("people", "users"),
    ("user", "users"),
    ("transfer", "pay"),
    ("verify", "audit verify"),
];

/// Adds our word for an unknown command to the error.
fn with_tip(mut error: clap::Error) -> clap::Error {
    let typed = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(typed)) => typed.to_lowercase(),
        Some(_) | None => return error,
    };
    let ours = OTHER_WORDS.into_iter().find(|(word, _)| *word == typed);
    if let Some((_, ours)) = ours {
        let tip = format!("here it is '{ours}'");
        error.remove(ContextKind::SuggestedSubcommand);
        error.insert(
            ContextKind::Suggested,
            ContextValue::StyledStrs(vec![tip.into()]),
        );
    }
    error
}

/// Does what was asked. [`Exit`] has the codes of errors.
pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let choice = Choice::new(arguments.home, arguments.bank);
    let is_own_login = matches!(arguments.command, Command::Login(_) | Command::Logout(_));
    let error = match dispatch(arguments.command, &choice).await {
        Ok(code) => return Ok(code),
        Err(error) if is_own_login => return Err(error),
        Err(error) => bank::explained(error, &choice).await,
    };
    Err(match choice.invocation() {
        Some(again) if failure::is_silence(&error) => {
            let hint = format!("`{again} status` tells which part is down");
            hinted(error, hint)
        }
        Some(_) | None => error,
    })
}

async fn dispatch(command: Command, choice: &Choice) -> Result<ExitCode> {
    let home = |command: &str, needs: &str| choice.home_for(command, needs);
    let bank = || choice.bank();
    match command {
        Command::Up(options) => {
            return up::run(&options, &home("up", "this machine")?).await;
        }
        Command::Down => status::down(&home("down", "the bank's own machine")?).await?,
        Command::Status(options) => return status::run(&options, choice).await,
        Command::Doctor(options) => {
            return doctor::run(&options, &home("doctor", "the bank's own machine")?).await;
        }
        Command::Demo(options) => {
            demo::run(&options, &home("demo", "the broker and the books")?).await?;
        }
        Command::Login(options) => banks::log_in(options).await?,
        Command::Logout(options) => banks::log_out(&options, choice).await?,
        Command::Banks(options) => banks::run(&options, choice)?,
        Command::Token(options) => token::run(options, &bank()?).await?,
        Command::Account(command) => account::run(command, &bank()?).await?,
        Command::TrialBalance(options) => trial_balance::run(&options, &bank()?).await?,
        Command::Clients(command) => clients::run(command, &bank()?).await?,
        Command::Mandates(command) => mandates::run(command, &bank()?).await?,
        Command::Keys(command) => keys::run(command, &bank()?).await?,
        Command::Pay(options) => return pay::run(options, &bank()?).await,
        Command::Deposit(options) => return counter::run(Way::Deposit, options, &bank()?).await,
        Command::Withdraw(options) => {
            return counter::run(Way::Withdrawal, options, &bank()?).await;
        }
        Command::Hold(options) => return hold::hold(options, &bank()?).await,
        Command::Capture(options) => return hold::capture(options, &bank()?).await,
        Command::Void(options) => return hold::void(options, &bank()?).await,
        Command::Reverse(options) => return hold::reverse(options, &bank()?).await,
        Command::Transaction(options) => return transaction::run(options, &bank()?).await,
        Command::Batch(command) => return batch::run(command, &bank()?).await,
        Command::Payment(command) => payment::run(command, &bank()?).await?,
        Command::Users(command) => users::run(command, &bank()?).await?,
        Command::File(command) => files::run(command, &bank()?).await?,
        Command::Services(options) => {
            services::run(&options, &home("services", "the broker")?).await?;
        }
        Command::Logs(options) => logs::run(&options, &bank()?).await?,
        Command::Watch(options) => watch::run(&options, &home("watch", "the broker")?).await?,
        Command::Audit(command) => audit::run(&command, choice).await?,
        Command::Bench(options) => bench::run(options).await?,
        Command::Migrate(service) => migrate::run(service).await?,
        Command::Serve(options) => serve::run(options).await?,
        Command::InviteAdmin(options) => invite_admin::run(&options).await?,
        Command::Health(options) => health::run(&options).await?,
        Command::Secrets(options) => secrets::run(&options)?,
        Command::Static(options) => assets::run(&options)?,
        Command::Completions { shell } => {
            let name = "quittance";
            clap_complete::generate(
                shell,
                &mut Arguments::command(),
                name,
                &mut std::io::stdout(),
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_of_all_commands_fit_together() {
        Arguments::command().debug_assert();
    }
}
