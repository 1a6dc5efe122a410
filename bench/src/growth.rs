//! Does a payment cost more after many payments, or among many accounts?
//!
//! The ledger's own limit is compared, because nothing grows in the broker or the producer. Two figures: the time of a
//! payment, and the CPU time that ledger and PostgreSQL use for it. A slow minute does not change the second.

use std::path::Path;

use anyhow::{Result, ensure};
use common::broker;
use common::broker::BATCH_MESSAGES_MAX;
use common::token::Audience;
use common::wire::SETTLEMENTS;
use indicatif::ProgressBar;
use local::Part;

use crate::bank::BenchBank;
use crate::costs::Peaks;
use crate::figure::{Figure, Run};
use crate::numbers::{self, Spread, grouped};
use crate::options::Size;
use crate::payments::Pattern;
use crate::report::{Check, Report};
use crate::saturate::{end_to_end, ledger_limit};

/// Payments that are made and sent at a time; as messages they take 150 MB.
const BOOKED_AT_A_TIME: usize = 50_000;
const BOOKED: [usize; 2] = [100_000, 1_000_000];
const BOOKED_FOR_PATIENT_PEOPLE: usize = 10_000_000;
const ACCOUNTS_MANY: usize = 1_000_000;

/// Disk that one payment takes in the end: 2.3 kB in the two streams, about 1.5 kB in the tables and their indexes (seen
/// with 1.2 million), rounded up.
const DISK_BYTES_PER_PAYMENT: u64 = 4_000;
/// The database's write-ahead log.
const DISK_BYTES_BESIDES: u64 = 4_000_000_000;

/// On a running bank, with the payments that it has booked so far.
pub(crate) async fn quick(
    bank: &mut BenchBank,
    tokens: &[String],
    size: Size,
    bar: &ProgressBar,
) -> Result<Vec<Figure>> {
    let booked = booked(bank).await?;
    let runs = measure(bank, tokens, size, bar).await?;
    let title = format!("ledger limit after {} payments", grouped(booked));
    let figure = Figure::of_runs("growth_ledger_limit_per_s", &title, &runs);
    Ok(figure.into_iter().collect())
}

/// On a bank of its own; returns the memory of its processes.
pub(crate) async fn full(
    program: &Path,
    size: Size,
    report: &mut Report,
    bar: &ProgressBar,
) -> Result<Peaks> {
    let mut milestones = BOOKED.to_vec();
    if size.ten_million {
        milestones.push(BOOKED_FOR_PATIENT_PEOPLE);
    }
    let mut bank = BenchBank::start(program, size.accounts, bar).await?;
    bank.stop_part(Part::Payments);
    let all = milestones
        .iter()
        .max()
        .map_or(0, |most| most + ACCOUNTS_MANY);
    has_room(bank.bank.home().path(), u64::try_from(all)?)?;
    let mut booked = 0;
    let steps = milestones.last().map_or(0, |last| last / BOOKED_AT_A_TIME);
    bar.inc_length(u64::try_from(steps)?);
    let mut rates: Vec<(usize, Vec<Run>)> = Vec::new();
    for milestone in milestones {
        while booked < milestone {
            let shown = numbers::float_len(booked);
            bar.set_message(format!("growth: {} payments booked", grouped(shown)));
            // A token lives a quarter of an hour, so each step takes its own.
            let tokens = bank.tokens(Audience::Log, 1).await?;
            let count = BOOKED_AT_A_TIME.min(milestone - booked);
            let mut maker = bank.maker(&tokens, Pattern::Uniform);
            let batches = maker.batches(count, BATCH_MESSAGES_MAX);
            end_to_end(&mut bank, batches).await?;
            booked += count;
            bar.inc(1);
        }
        let tokens = bank.tokens(Audience::Log, 1).await?;
        let runs = measure(&mut bank, &tokens, size, bar).await?;
        booked += runs.len() * size.payments;
        let title = format!(
            "ledger limit after {} payments, 10 000 accounts",
            grouped(numbers::float_len(milestone))
        );
        let key = format!("growth_{milestone}_booked_per_s");
        report.figures.extend(Figure::of_runs(&key, &title, &runs));
        rates.push((milestone, runs));
    }
    bank.open_accounts(ACCOUNTS_MANY - size.accounts, bar)
        .await?;
    let tokens = bank.tokens(Audience::Log, 1).await?;
    let many = measure(&mut bank, &tokens, size, bar).await?;
    let title = "ledger limit, 1 000 000 accounts opened by real requests";
    let figure = Figure::of_runs("growth_1000000_accounts_per_s", title, &many);
    report.figures.extend(figure);
    if let [(_, first), .., (booked, last)] = rates.as_slice() {
        let what = format!("{} booked / 100 000", grouped(numbers::float_len(*booked)));
        report
            .figures
            .extend(ratios("cost_growth", &what, first, last));
        let what = "1 000 000 accounts / 10 000";
        report
            .figures
            .extend(ratios("cost_accounts", what, last, &many));
    }
    let summary = bank.check(bar).await?;
    report.checks.push(Check::of("growth", summary));
    bank.stop().await
}

/// Fails now rather than after a quarter of an hour.
fn has_room(directory: &Path, requests: u64) -> Result<()> {
    let disk = rustix::fs::statvfs(directory)?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let needed = requests * DISK_BYTES_PER_PAYMENT + DISK_BYTES_BESIDES;
    ensure!(
        free >= needed,
        "growth needs {} GB of disk, and {} has {}; TMPDIR chooses another",
        needed / 1_000_000_000,
        directory.display(),
        free / 1_000_000_000,
    );
    Ok(())
}

/// What a payment costs in each of `runs` against the median of `base`: as CPU time, and as time.
fn ratios(key: &str, what: &str, base: &[Run], runs: &[Run]) -> Vec<Figure> {
    let over = |cost: fn(&Run) -> f64| -> Vec<f64> {
        let base: Vec<f64> = base.iter().map(cost).collect();
        let base = Spread::of(&base).map_or(f64::NAN, |spread| spread.median);
        runs.iter().map(|run| cost(run) / base).collect()
    };
    let cpu = Figure::new(
        &format!("{key}_ratio"),
        &format!("CPU time of ledger and PostgreSQL per payment, {what}"),
        "ratio",
        &over(cpu_us),
    );
    let time = Figure::new(
        &format!("{key}_time_ratio"),
        &format!("time per payment, {what}"),
        "ratio",
        &over(|run| 1.0 / run.per_second),
    );
    cpu.into_iter().chain(time).collect()
}

/// Of the ledger and PostgreSQL, per payment.
fn cpu_us(run: &Run) -> f64 {
    ["ledger", "postgres"]
        .iter()
        .filter_map(|part| run.costs.get(part))
        .map(|cost| cost.cpu_us_per_payment)
        .sum()
}

async fn measure(
    bank: &mut BenchBank,
    tokens: &[String],
    size: Size,
    bar: &ProgressBar,
) -> Result<Vec<Run>> {
    let mut runs = Vec::new();
    for _ in 0..if size.is_quick { 1 } else { size.runs } {
        bar.set_message("growth: the ledger with a backlog");
        let mut maker = bank.maker(&tokens[..1], Pattern::Uniform);
        let batches = maker.batches(size.payments, BATCH_MESSAGES_MAX);
        runs.push(ledger_limit(bank, batches).await?);
    }
    Ok(runs)
}

async fn booked(bank: &BenchBank) -> Result<f64> {
    let streams = bank.audit().await?;
    let last = broker::last_sequence(&streams, SETTLEMENTS).await?;
    Ok(numbers::float(last))
}
