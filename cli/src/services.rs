//! `quittance services`: which services run, as they say it at the broker: several of one perhaps, on machines anywhere.

mod upstreams;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use async_nats::Client;
use common::service::{Instance, instances};

use crate::failure::{Exit, Hinted as _};
use crate::print;
use crate::running::{Running, invocation};

/// From one look at who is there to the next.
const LOOK_PAUSE: Duration = Duration::from_secs(2);

/// Options of `quittance services`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Print them as JSON
    #[arg(long)]
    json: bool,
    /// Write them as upstreams into this file of nginx' configuration
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    upstreams: Option<PathBuf>,
    /// Run this once the file has changed: 'nginx -s reload'
    #[arg(long, value_name = "COMMAND", requires = "upstreams")]
    then: Option<String>,
    /// Go on, whoever comes and goes
    #[arg(long, requires = "upstreams")]
    follow: bool,
}

pub(crate) async fn run(options: &Options, home: &Path) -> Result<()> {
    let running = Running::find(home)?;
    let client = running.discoverer().await?;
    if let Some(file) = &options.upstreams {
        return write_upstreams(&client, file, options).await;
    }
    let found = ask(&client).await?;
    if options.json {
        print::json(&found)?;
        return Ok(());
    }
    if found.is_empty() {
        return Err(anyhow!("no service answers at the broker"))
            .exit(Exit::Unreachable)
            .hint(format!("`{} status` asks each by itself", invocation(home)));
    }
    let mut table = print::table(&["service", "how", "version", "where", "since"]);
    for one in &found {
        let since = one
            .since
            .map(|at| at.format("%Y-%m-%d %H:%M:%SZ").to_string());
        table.add_row([
            &one.service,
            &one.status,
            &one.version,
            &one.address,
            &since.unwrap_or_default(),
        ]);
    }
    print::line(&print::text(table))?;
    for one in found.iter().filter(|one| !one.detail.is_empty()) {
        let sentence = format!("{} at {}: {}", one.service, one.address, one.detail);
        print::line(&print::folded(&sentence, 2))?;
    }
    Ok(())
}

/// Which instances answer.
pub(crate) async fn ask(client: &Client) -> Result<Vec<Instance>> {
    instances(client).await.map_err(|error| anyhow!(error))
}

/// Once, or whenever somebody comes or goes.
async fn write_upstreams(client: &Client, file: &Path, options: &Options) -> Result<()> {
    // What an earlier run wrote may not have been read.
    let mut is_first = true;
    loop {
        let changes = upstreams::update(file, &ask(client).await?)?;
        for change in &changes {
            print::line(&print::folded(change, 2))?;
        }
        let is_owed = is_first || !changes.is_empty();
        if let Some(command) = options.then.as_ref().filter(|_| is_owed) {
            let ended = Command::new("sh").args(["-c", command]).status()?;
            ensure!(ended.success(), "`{command}` failed: {ended}");
        }
        is_first = false;
        if !options.follow {
            return Ok(());
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
}
