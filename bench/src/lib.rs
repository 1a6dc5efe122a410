//! The benchmark: starts banks of its own, loads them, checks their books, and only then says how fast they were.
//!
//! [`run`] goes through the scenarios that were asked for. `bank` starts and checks what is measured, `payments` makes
//! the load; `saturate` sends it as fast as it goes and `pace` at a fixed rate; `costs` reads what each process used.
//! A [`Report`] holds the figures with the machine, the versions and the settings they were measured under.
#![expect(
    clippy::float_arithmetic,
    reason = "figures here are measurements, never money"
)]

mod bank;
mod payments;

mod pace;
mod saturate;

mod growth;
mod pgbench;
mod rounds;
mod scenarios;
mod tokens;

mod costs;
mod http;
mod machine;
mod numbers;

mod plot;
mod report;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};

pub use costs::Cost;
pub use machine::{Machine, Settings, Versions};
pub use numbers::Spread;
pub use pace::{Door, Latency, Percentiles};
pub use report::{Check, Figure, Report};

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// The same bytes through the broker alone: publish, read, publish, read
    Broker,
    /// The ledger with all requests already in the stream
    Ledger,
    /// End to end over NATS: saturated with 1, 100 and 10 000 tokens, and at fixed rates
    Nats,
    /// End to end over HTTP: saturated, and at fixed rates
    Http,
    /// Few accounts that everybody pays from and to
    Hot,
    /// The cost of a payment after many payments, and among many accounts
    Growth,
    /// The whole log decided again and compared
    Replay,
    /// PostgreSQL's own benchmark on the same server, for scale
    Pgbench,
    /// Tokens issued and verified, against the bare cryptography
    Tokens,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Broker,
        Self::Ledger,
        Self::Nats,
        Self::Http,
        Self::Hot,
        Self::Growth,
        Self::Replay,
        Self::Pgbench,
        Self::Tokens,
    ];
}

/// What to measure, and how thoroughly.
#[derive(Debug)]
pub struct Options {
    /// The `quittance` binary that serves.
    pub program: PathBuf,
    /// Under a minute: fewer and shorter runs.
    pub quick: bool,
    /// Which scenarios; none means all.
    pub only: Vec<Scenario>,
    /// Runs of each figure, instead of 5 (quick: 2).
    pub runs: Option<usize>,
    /// Also measure with ten million payments booked, which takes about twenty minutes and 45 GB of disk.
    pub ten_million: bool,
    /// Where the plot goes.
    pub plot: PathBuf,
    /// Draw no progress.
    pub silent: bool,
}

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) is_quick: bool,
    pub(crate) runs: usize,
    /// Payments in a saturated run.
    pub(crate) payments: usize,
    pub(crate) accounts: usize,
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
    pub(crate) ten_million: bool,
}

/// Measures.
///
/// # Errors
/// When a server can't be started, or when the books are wrong: then there are no figures.
pub async fn run(options: &Options) -> Result<Report> {
    ensure!(
        !cfg!(debug_assertions),
        "this is a build without optimisation, whose figures mean nothing: cargo run --release -p cli -- bench"
    );
    let started = Instant::now();
    let (own_before, all_before) = costs::own_and_all_seconds();
    let bar = if options.silent {
        ProgressBar::hidden()
    } else {
        bar()
    };
    let only = if options.only.is_empty() {
        Scenario::ALL.to_vec()
    } else {
        options.only.clone()
    };
    let size = size(options);
    let mut report = scenarios::run(&options.program, &only, size, &bar).await?;
    bar.finish_and_clear();
    report.took_s = started.elapsed().as_secs_f64();
    let (own, all) = costs::own_and_all_seconds();
    let others = (all - all_before) - (own - own_before);
    let capacity = report.took_s * numbers::float_len(report.machine.cores);
    report.cpu_used_by_others = (others / capacity).clamp(0.0, 1.0);
    write_plot(&report, &options.plot)?;
    Ok(report)
}

fn size(options: &Options) -> Size {
    let (runs, payments) = if options.quick {
        (2, 10_000)
    } else {
        (5, 50_000)
    };
    Size {
        is_quick: options.quick,
        runs: options.runs.unwrap_or(runs).max(1),
        payments,
        accounts: 10_000,
        warm_up: Duration::from_millis(if options.quick { 300 } else { 1000 }),
        measured: Duration::from_millis(if options.quick { 1200 } else { 5000 }),
        ten_million: options.ten_million,
    }
}

fn write_plot(report: &Report, path: &Path) -> Result<()> {
    let caption = format!(
        "{} cores, everything on one machine, durable at every hop; {}",
        report.machine.cores,
        if report.quick {
            "quick run"
        } else {
            "full run"
        }
    );
    let Some(svg) = plot::svg(&report.latencies, &caption) else {
        return Ok(());
    };
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).ok();
    }
    std::fs::write(path, svg).with_context(|| format!("cannot write {}", path.display()))
}

fn bar() -> ProgressBar {
    let style =
        ProgressStyle::with_template("  {spinner} {bar:30} {pos}/{len}  {elapsed}  {wide_msg}")
            .expect("the template is a constant");
    let bar = ProgressBar::new(1).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
