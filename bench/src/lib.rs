//! The benchmark: starts banks of its own, loads them, checks their books, and only then says how fast they were.
//!
//! [`run`] goes through the chosen scenarios. `bank` starts and checks what is measured. `payments` makes the load,
//! `saturate` sends it as fast as it goes and `pace` at a fixed rate, and `answers` reads what becomes of it. `costs` reads
//! what each process used. A [`Report`] holds the figures with the machine, the versions and the settings they were
//! measured under.
#![expect(
    clippy::float_arithmetic,
    reason = "figures here are measurements, never money"
)]

mod options;

mod bank;
mod payments;

mod answers;
mod pace;
mod saturate;

mod bulk;
mod door;
mod gateway;
mod grants;
mod growth;
mod history;
mod logins;
mod pgbench;
mod rounds;
mod scenarios;
mod tokens;
mod trust;

mod costs;
mod http;
mod machine;
mod numbers;
mod proc;

mod figure;
mod latency;
mod plot;
mod replay;
mod report;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};

use options::Size;

pub use figure::{Cost, Figure};
pub use latency::{Entrance, Latency, Percentiles};
pub use machine::{Machine, Settings, Versions};
pub use numbers::Spread;
pub use options::{Options, Scenario};
pub use report::{Check, Report};

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
    let (own_before, all_before) = proc::own_and_all_seconds();
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
    let size = Size::of(options);
    let mut report = scenarios::run(&options.program, &only, size, &bar).await?;
    bar.finish_and_clear();
    report.took_s = started.elapsed().as_secs_f64();
    let (own, all) = proc::own_and_all_seconds();
    let others = (all - all_before) - (own - own_before);
    let capacity = report.took_s * numbers::float_len(report.machine.cores);
    report.cpu_used_by_others = (others / capacity).clamp(0.0, 1.0);
    write_plot(&report, &options.plot)?;
    Ok(report)
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
