//! What the figures were measured on: the machine, the versions, the settings.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result};
use local::{Bank, Service};
use serde::Serialize;
use sqlx::{Connection as _, PgConnection};

use crate::numbers::{Spread, float};
use crate::proc;

/// Writes whose fsync is timed.
const FSYNCS: usize = 200;
/// About one request.
const FSYNC_BYTES: usize = 2048;

/// The machine.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// Logical cores this process may use.
    pub cores: usize,
    /// Memory, in GiB.
    pub memory_gib: f64,
    /// What the CPU calls itself.
    pub cpu: String,
    /// Operating system and kernel.
    pub kernel: String,
    /// How long an append of 2 KiB and its fsync take where the bank's files are.
    pub fsync_ms: Spread,
}

/// The versions of what ran.
#[derive(Debug, Clone, Serialize)]
pub struct Versions {
    /// `git describe` of this checkout.
    pub quittance: String,
    /// nats-server.
    pub nats_server: String,
    /// PostgreSQL.
    pub postgresql: String,
    /// The compiler that is installed.
    pub rustc: String,
}

/// The settings that decide what "durable" means, read from the running servers where these show them.
#[derive(Debug, Clone, Serialize)]
pub struct Settings {
    /// When the broker fsyncs.
    pub nats_sync_interval: &'static str,
    /// Copies of each stream.
    pub stream_replicas: u32,
    /// Of PostgreSQL.
    pub fsync: String,
    /// Of PostgreSQL.
    pub synchronous_commit: String,
    /// Of PostgreSQL.
    pub full_page_writes: String,
    /// Of PostgreSQL.
    pub shared_buffers: String,
    /// Most requests in one batch of the ledger, and in one atomic batch.
    pub batch_messages_max: usize,
    /// Bytes of one request in the log, headers and token included.
    pub request_bytes: usize,
    /// Bytes of its answer.
    pub answer_bytes: usize,
}

/// Looks at the machine; `directory` is where the bank's files are.
pub(crate) fn machine(directory: &Path) -> Result<Machine> {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .and_then(|rest| rest.split_once(':'))
        .map_or("unknown", |(_, name)| name.trim());
    Ok(Machine {
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        memory_gib: float(proc::field("/proc/meminfo", "MemTotal:") / 1024) / 1024.0,
        cpu: cpu.to_owned(),
        kernel: first_line("uname", &["-sr"]),
        fsync_ms: fsync_ms(directory)?,
    })
}

fn fsync_ms(directory: &Path) -> Result<Spread> {
    let mut file = tempfile::tempfile_in(directory).context("no file to fsync")?;
    let mut times = Vec::with_capacity(FSYNCS);
    for _ in 0..FSYNCS {
        let started = Instant::now();
        file.write_all(&[0x51; FSYNC_BYTES])?;
        file.sync_data()?;
        times.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    Spread::of(&times).context("there were fsyncs")
}

/// Asks each program for its version.
pub(crate) async fn versions(bank: &Bank, nats: &async_nats::Client) -> Result<Versions> {
    let mut database = database(bank).await?;
    let postgresql = show(&mut database, "show server_version").await?;
    database.close().await?;
    let checkout = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    Ok(Versions {
        quittance: first_line("git", &["-C", checkout, "describe", "--always", "--dirty"]),
        nats_server: nats.server_info().version,
        postgresql,
        rustc: first_line("rustc", &["--version"]),
    })
}

/// Reads the settings.
pub(crate) async fn settings(
    bank: &Bank,
    request_bytes: usize,
    answer_bytes: usize,
) -> Result<Settings> {
    let mut database = database(bank).await?;
    let settings = Settings {
        nats_sync_interval: "always",
        stream_replicas: 1,
        fsync: show(&mut database, "show fsync").await?,
        synchronous_commit: show(&mut database, "show synchronous_commit").await?,
        full_page_writes: show(&mut database, "show full_page_writes").await?,
        shared_buffers: show(&mut database, "show shared_buffers").await?,
        batch_messages_max: common::broker::BATCH_MESSAGES_MAX,
        request_bytes,
        answer_bytes,
    };
    database.close().await?;
    Ok(settings)
}

async fn database(bank: &Bank) -> Result<PgConnection> {
    let url = bank.servers().database_url(Service::Ledger);
    Ok(PgConnection::connect(&url).await?)
}

async fn show(database: &mut PgConnection, statement: &'static str) -> Result<String> {
    Ok(sqlx::query_scalar(statement).fetch_one(database).await?)
}

/// What a program says, or `unknown`.
fn first_line(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output
        .ok()
        .filter(|output| output.status.success())
        .and_then(|output| {
            let text = String::from_utf8_lossy(&output.stdout);
            text.lines().next().map(str::to_owned)
        })
        .unwrap_or_else(|| "unknown".to_owned())
}
