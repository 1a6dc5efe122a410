//! What the figures are held against: PostgreSQL's own benchmark on the same server, and bare cryptography.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use common::token::{self, Keys};
use indicatif::ProgressBar;
use local::Service;
use sqlx::{Connection as _, PgConnection};
use tokio::process::Command;

use crate::Size;
use crate::bank::BenchBank;
use crate::numbers::per_second;
use crate::report::Figure;
use crate::saturate::Run;

/// Rows of pgbench are 100 000 of these: more than are changed in a run, so that they are not what is waited for.
const PGBENCH_SCALE: &str = "10";
/// Most of its clients wait for their fsync, which they share.
const PGBENCH_CLIENTS: &str = "16";
/// About a token without its signature.
const SIGNED_BYTES: usize = 700;

/// Transactions of pgbench's TPC-B a second, with the durability that the ledger has. `None` without pgbench.
pub(crate) async fn pgbench(
    bank: &BenchBank,
    size: Size,
    bar: &ProgressBar,
) -> Result<Option<Figure>> {
    bar.set_message("pgbench");
    let Some(program) = pgbench_program(bank) else {
        return Ok(None);
    };
    let ledger = bank.bank.servers().superuser_database_url(Service::Ledger);
    let mut database = PgConnection::connect(&ledger).await?;
    sqlx::raw_sql("create database pgbench")
        .execute(&mut database)
        .await?;
    database.close().await?;
    let url = ledger.replace("/ledger?", "/pgbench?");
    run(&program, &["-i", "-q", "-s", PGBENCH_SCALE], &url).await?;
    let seconds = if size.is_quick { "2" } else { "10" };
    let mut rates = Vec::new();
    for _ in 0..if size.is_quick { 1 } else { size.runs } {
        let how = [
            "-n",
            "-M",
            "prepared",
            "-c",
            PGBENCH_CLIENTS,
            "-j",
            "2",
            "-T",
            seconds,
        ];
        let text = run(&program, &how, &url).await?;
        let rate = text.lines().find_map(|line| {
            line.strip_prefix("tps = ")?
                .split(' ')
                .next()?
                .parse::<f64>()
                .ok()
        });
        rates.push(rate.with_context(|| format!("pgbench tells no rate: {text}"))?);
    }
    let title = "pgbench TPC-B, scale 10, 16 clients";
    Ok(Figure::new("pgbench_tpcb_per_s", title, "1/s", &rates))
}

/// Beside the server that runs.
fn pgbench_program(bank: &BenchBank) -> Option<PathBuf> {
    let pid_file = bank.bank.home().path().join("run/postgres.pid");
    let pid = std::fs::read_to_string(pid_file).ok()?;
    let server = std::fs::read_link(format!("/proc/{}/exe", pid.trim())).ok()?;
    Some(server.with_file_name("pgbench")).filter(|program| program.exists())
}

async fn run(program: &PathBuf, arguments: &[&str], url: &str) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .arg(url)
        .output()
        .await?;
    ensure!(
        output.status.success(),
        "pgbench: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Tokens issued over HTTP and verified, and RSA alone, on one core.
pub(crate) async fn tokens(bank: &BenchBank, size: Size, bar: &ProgressBar) -> Result<Vec<Figure>> {
    bar.set_message("tokens");
    let count = if size.is_quick { 1000 } else { 5000 };
    let mut issued = Vec::new();
    for _ in 0..if size.is_quick { 1 } else { size.runs } {
        let processes = bank.processes();
        let (before, started) = (processes.cpu_times(), Instant::now());
        bank.tokens(count).await?;
        issued.push(Run {
            per_second: per_second(count, started.elapsed()),
            costs: processes.costs_since(&before, count),
        });
    }
    let token = bank.tokens(1).await?.concat();
    let keys = announced(bank).await?;
    let time = if size.is_quick {
        Duration::from_millis(200)
    } else {
        Duration::from_secs(2)
    };
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| anyhow!("no key"))?;
    let (message, random) = ([0x51; SIGNED_BYTES], SystemRandom::new());
    let mut signature = vec![0; pair.public_modulus_len()];
    let mut sign = || {
        pair.sign(&RSA_PKCS1_SHA256, &random, &message, &mut signature)
            .is_ok()
    };
    let signed = rate(time, &mut sign)?;
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key());
    let checked = rate(time, || public.verify(&message, &signature).is_ok())?;
    let now = common::service::now();
    let verified = rate(time, || token::verify(&token, now, &keys).is_ok())?;
    let figures = [
        Figure::of_runs(
            "tokens_issued_per_s",
            "tokens from POST /oauth2/token, 4 connections",
            &issued,
        ),
        Figure::new(
            "rsa_signatures_per_s",
            "aws-lc: RS256 signatures, one core",
            "1/s",
            &[signed],
        ),
        Figure::new(
            "tokens_verified_per_s",
            "tokens verified, one core",
            "1/s",
            &[verified],
        ),
        Figure::new(
            "rsa_verifications_per_s",
            "aws-lc: RS256 verifications, one core",
            "1/s",
            &[checked],
        ),
    ];
    Ok(figures.into_iter().flatten().collect())
}

/// The keys that the ledger knows.
async fn announced(bank: &BenchBank) -> Result<Keys> {
    let url = bank.bank.servers().database_url(Service::Ledger);
    let mut database = PgConnection::connect(&url).await?;
    let rows: Vec<(String, String, String, String)> =
        sqlx::query_as("select kid, issuer, n, e from signing_key")
            .fetch_all(&mut database)
            .await?;
    database.close().await?;
    let mut keys = Keys::default();
    for (kid, issuer, n, e) in rows {
        keys.insert(&kid, &issuer, &n, &e)?;
    }
    Ok(keys)
}

/// How often a second `works` works, each time.
fn rate(time: Duration, mut works: impl FnMut() -> bool) -> Result<f64> {
    let (started, mut count) = (Instant::now(), 0);
    while started.elapsed() < time {
        for _ in 0..10 {
            ensure!(works(), "what is measured failed");
        }
        count += 10;
    }
    Ok(per_second(count, started.elapsed()))
}
