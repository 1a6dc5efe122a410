//! What the figures are held against: PostgreSQL's own benchmark on the same server, with the same durability.
//!
//! Its default protocol sends each statement as text, which the server parses and plans each time; the other prepares
//! them once, as our services do. Each round runs both and, beside them, the whole path once.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use common::broker::BATCH_MESSAGES_MAX;
use indicatif::ProgressBar;
use local::Service;
use sqlx::{Connection as _, PgConnection};
use tokio::process::Command;

use crate::bank::BenchBank;
use crate::figure::Figure;
use crate::options::Size;
use crate::payments::Pattern;
use crate::saturate::end_to_end;

/// Most clients wait for their fsync, which they share.
const CLIENTS: &str = "16";
/// Each transaction updates one of this many rows. With fewer rows than clients, the clients would wait for each other.
const SCALE: &str = CLIENTS;
const THREADS: &str = "2";

/// Transactions of TPC-B a second, and payments beside them. `None` without pgbench.
pub(crate) async fn pgbench(
    bank: &mut BenchBank,
    tokens: &[String],
    size: Size,
    bar: &ProgressBar,
) -> Result<Option<Vec<Figure>>> {
    let Some(program) = program(bank) else {
        return Ok(None);
    };
    bar.set_message("pgbench: filling its tables");
    let ledger = bank.bank.servers().superuser_database_url(Service::Ledger);
    let mut database = PgConnection::connect(&ledger).await?;
    sqlx::raw_sql("create database pgbench")
        .execute(&mut database)
        .await?;
    database.close().await?;
    let url = ledger.replace("/ledger?", "/pgbench?");
    run(&program, &["-i", "-q", "-s", SCALE], &url).await?;

    let seconds = if size.is_quick { "1" } else { "10" };
    let (mut simple, mut prepared) = (Vec::new(), Vec::new());
    let (mut over_simple, mut over_prepared) = (Vec::new(), Vec::new());
    for round in 1..=if size.is_quick { 1 } else { size.runs } {
        bar.set_message(format!("pgbench, round {round}"));
        let by_text = tpcb(&program, "simple", seconds, &url).await?;
        let by_name = tpcb(&program, "prepared", seconds, &url).await?;
        let batches = bank
            .maker(&tokens[..1], Pattern::Uniform)
            .batches(size.payments, BATCH_MESSAGES_MAX);
        let ours = end_to_end(bank, batches).await?.per_second;
        simple.push(by_text);
        prepared.push(by_name);
        over_simple.push(ours / by_text);
        over_prepared.push(ours / by_name);
    }
    let figures = [
        Figure::new(
            "pgbench_tpcb_per_s",
            &format!(
                "pgbench TPC-B as it comes (simple protocol), scale {SCALE}, {CLIENTS} clients"
            ),
            "1/s",
            &simple,
        ),
        Figure::new(
            "pgbench_tpcb_prepared_per_s",
            &format!("pgbench TPC-B, prepared statements, scale {SCALE}, {CLIENTS} clients"),
            "1/s",
            &prepared,
        ),
        Figure::new(
            "end_to_end_over_pgbench",
            "end to end, 1 token / pgbench TPC-B (simple)",
            "ratio",
            &over_simple,
        ),
        Figure::new(
            "end_to_end_over_pgbench_prepared",
            "end to end, 1 token / pgbench TPC-B (prepared)",
            "ratio",
            &over_prepared,
        ),
    ];
    Ok(Some(figures.into_iter().flatten().collect()))
}

/// One run: its transactions a second, without the time in which it connected.
async fn tpcb(program: &PathBuf, protocol: &str, seconds: &str, url: &str) -> Result<f64> {
    let how = [
        "-n", "-M", protocol, "-c", CLIENTS, "-j", THREADS, "-T", seconds,
    ];
    let text = run(program, &how, url).await?;
    let rate = text.lines().find_map(|line| {
        line.strip_prefix("tps = ")?
            .split(' ')
            .next()?
            .parse::<f64>()
            .ok()
    });
    rate.with_context(|| format!("pgbench tells no rate: {text}"))
}

/// The `pgbench` beside the running server's program, if there is one.
fn program(bank: &BenchBank) -> Option<PathBuf> {
    let pid_file = bank.bank.home().path().join("run/postgres.pid");
    let pid = std::fs::read_to_string(pid_file).ok()?;
    let server = std::fs::read_link(format!("/proc/{}/exe", pid.trim())).ok()?;
    Some(server.with_file_name("pgbench")).filter(|program| program.exists())
}

async fn run(program: &PathBuf, arguments: &[&str], url: &str) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .arg(url)
        .kill_on_drop(true)
        .output()
        .await?;
    ensure!(
        output.status.success(),
        "pgbench: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
