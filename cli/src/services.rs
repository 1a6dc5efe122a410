//! `quittance services`: which services run, as they say it at the broker: several of one perhaps, on machines anywhere.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use common::broker;
use common::service::instances;

use crate::failure::{Exit, Hinted as _};
use crate::print;
use crate::running::{Running, invocation};

/// Options of `quittance services`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Print them as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(options: &Options, home: &Path) -> Result<()> {
    let running = Running::find(home)?;
    let config = running.auditor_config()?.discovery();
    let client = broker::connect(&config)
        .await
        .with_context(|| format!("the broker at {} does not let us in", config.url))
        .exit(Exit::Unreachable)?;
    let found = instances(&client).await.map_err(|error| anyhow!(error))?;
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
