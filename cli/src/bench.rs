//! `quittance bench`: measures banks of its own and prints what was found.

use std::path::PathBuf;

use ::bench::Scenario;
use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::print;

/// Where the plot goes unless told otherwise: beside the benchmark's README, when run from the checkout.
const PLOT: &str = "bench/results/latency.svg";

/// Options of `quittance bench`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Under a minute: fewer and shorter runs
    #[arg(long)]
    quick: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Only these
    #[arg(long, value_name = "SCENARIO", num_args = 1.., value_delimiter = ',')]
    only: Vec<Scenario>,
    /// Runs of each figure [default: 5, quick: 2]
    #[arg(long)]
    runs: Option<usize>,
    /// In `growth`, also with ten million payments booked, which takes about twenty minutes and 45 GB of disk
    #[arg(long)]
    ten_million: bool,
    /// Where the plot of latency against offered load goes
    #[arg(long, value_name = "FILE", default_value = PLOT)]
    plot: PathBuf,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let json = options.json;
    let options = ::bench::Options {
        program,
        quick: options.quick,
        only: options.only,
        runs: options.runs,
        ten_million: options.ten_million,
        plot: options.plot,
        silent: false,
    };
    // Ctrl-C and SIGTERM drop the banks, which stops their servers and removes their files.
    let stop = common::service::stop_signal()?;
    let report = tokio::select! {
        report = ::bench::run(&options) => report?,
        () = stop.cancelled() => bail!("interrupted; nothing was measured"),
    };
    if json {
        print::json(&report.to_json())?;
    } else {
        print::line(&report.to_text())?;
    }
    Ok(())
}
