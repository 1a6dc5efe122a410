//! `quittance status` and `quittance down`.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use client::Addresses;
use common::broker;
use common::wire::{REQUESTS, SETTLEMENTS};
use local::{Room, Status};
use serde_json::json;

use crate::bank::{Bank, Choice};
use crate::banks::session::Elsewhere;
use crate::demo_bank;
use crate::failure::warn;
use crate::print;
use crate::running::Running;

/// A database that is well lets us in within milliseconds.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(5);

const MEGABYTE: u64 = 1024 * 1024;

/// Options of `quittance status`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Print the addresses and the demo's logins as JSON
    #[arg(long)]
    json: bool,
    /// Print PostgreSQL's URL with the login that may read the books, for psql
    #[arg(long, conflicts_with = "json")]
    books: bool,
}

/// Prints where everything is and how it does. Exit code 1 when a part is not well.
pub(crate) async fn run(options: &Options, choice: &Choice) -> Result<ExitCode> {
    let running = match choice.bank()? {
        Bank::Here(running) => running,
        Bank::Elsewhere(_) if options.books => {
            choice.home_for("status --books", "the bank's own machine")?;
            bail!("a bank elsewhere has its books there");
        }
        Bank::Elsewhere(there) => return elsewhere(options, &there).await,
    };
    if options.json {
        print::json(&without_changed_passwords(&running).await?)?;
        return Ok(ExitCode::SUCCESS);
    }
    if options.books {
        print::line(&running.books_url()?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let status = &running.status;
    let client = running.client();
    let ready = async |url: &str| client.readiness(url).await;
    let (gateway, auth, ledger, payments, console, nats, postgres) = tokio::join!(
        status.gateway_answers(),
        ready(&status.auth),
        ready(&status.ledger),
        ready(&status.payments),
        async {
            match &status.console {
                Some(url) => Some(ready(url).await),
                None => None,
            }
        },
        nats_health(&running),
        postgres_health(&running),
    );
    let gateway = gateway.map(|answers| match answers {
        true => Ok("ready".to_owned()),
        false => Err("does not answer".to_owned()),
    });
    let gateway = status.gateway.iter().zip(gateway);
    let gateway = gateway.map(|(url, health)| ("gateway", url, health));
    let console = status.console.iter().zip(console);
    let console = console.map(|(url, health)| ("console", url, health));
    let parts = gateway.chain(console).chain([
        ("auth", &status.auth, auth),
        ("ledger", &status.ledger, ledger),
        ("payments", &status.payments, payments),
        ("NATS", &status.nats, nats),
        ("PostgreSQL", &status.postgres, postgres),
    ]);
    let parts = parts.map(|(name, url, health)| (name, &**url, health.map_err(not_well)));
    let home = print::path_in(PLACE_COLUMNS, &running.home.display().to_string());
    let disk = disk(&running.home).map_err(|problem| format!("FULL: {problem}"));
    tell(parts.chain([("disk", &*home, disk)]))
}

/// As much as an address of a part may take: a line is to fit a terminal.
const PLACE_COLUMNS: usize = 34;

fn not_well(problem: String) -> String {
    format!("DOWN: {problem}")
}

/// Prints how each part does, and where it is. Exit code 1 when one is not well.
fn tell<'p>(
    parts: impl Iterator<Item = (&'static str, &'p str, Result<String, String>)>,
) -> Result<ExitCode> {
    let mut table = print::table(&["part", "where", "how"]);
    let mut is_well = true;
    for (name, place, health) in parts {
        is_well &= health.is_ok();
        table.add_row([name, place, &health.unwrap_or_else(|problem| problem)]);
    }
    print::line(&print::text(table))?;
    Ok(if is_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The same for a bank elsewhere, as far as its gateway leads.
async fn elsewhere(options: &Options, there: &Elsewhere) -> Result<ExitCode> {
    let client = there.client();
    let Addresses {
        auth,
        ledger,
        payments,
    } = client.addresses();
    if options.json {
        print::json(&json!({
            "bank": there.name, "who": there.who()?, "gateway": there.url,
            "auth": auth, "ledger": ledger, "payments": payments,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let ready = async |url: &str| client.readiness(url).await;
    let parts = tokio::join!(ready(auth), ready(ledger), ready(payments));
    let parts = [
        ("auth", auth, parts.0),
        ("ledger", ledger, parts.1),
        ("payments", payments, parts.2),
    ];
    let parts = parts.into_iter().map(|(name, url, health)| {
        let health = health.map_err(|problem| not_well(print::readable(&problem)));
        (name, &**url, health)
    });
    tell(parts)
}

/// The status without the demo's passwords that were changed since; without any when nobody can say which.
pub(crate) async fn without_changed_passwords(running: &Running) -> Result<Status> {
    let mut status = running.status.clone();
    if let Some(demo) = &mut status.demo {
        let url = running.people_url()?;
        let asked = demo_bank::forget_changed(demo, &url);
        if !matches!(
            tokio::time::timeout(DATABASE_TIMEOUT, asked).await,
            Ok(Ok(()))
        ) {
            warn("auth's database does not say which passwords are still good; none is shown");
            demo_bank::forget_all(demo);
        }
    }
    Ok(status)
}

async fn nats_health(running: &Running) -> Result<String, String> {
    let last = async || -> Result<(u64, u64)> {
        let jetstream = broker::jetstream(&running.auditor().await?);
        let requests = broker::last_sequence(&jetstream, REQUESTS).await?;
        Ok((
            requests,
            broker::last_sequence(&jetstream, SETTLEMENTS).await?,
        ))
    };
    match last().await {
        Ok((requests, answers)) => Ok(format!("ready; {requests} requests, {answers} answers")),
        Err(error) => Err(error.root_cause().to_string()),
    }
}

/// How much room the bank has.
fn disk(home: &Path) -> Result<String, String> {
    let room = Room::of_home(home).map_err(|error| error.to_string())?;
    let megabytes = room.bytes / MEGABYTE;
    if room.is_full {
        return Err(format!("{megabytes} MB free in {}", room.place.display()));
    }
    Ok(match megabytes {
        ..1024 => format!("{megabytes} MB free"),
        _ => format!("{} GB free", megabytes / 1024),
    })
}

async fn postgres_health(running: &Running) -> Result<String, String> {
    match tokio::time::timeout(DATABASE_TIMEOUT, running.books()).await {
        Ok(Ok(_)) => Ok("ready".to_owned()),
        Ok(Err(error)) => Err(error.root_cause().to_string()),
        Err(_) => Err("timed out".to_owned()),
    }
}

/// Stops the bank and waits until it is gone.
pub(crate) async fn down(home: &Path) -> Result<()> {
    let path = home.to_owned();
    let stopped = tokio::task::spawn_blocking(move || local::down(&path)).await??;
    print::line(&if stopped {
        format!("The bank in {} is closed.", home.display())
    } else {
        format!("No bank runs in {}.", home.display())
    })?;
    Ok(())
}
