//! What a run costs: CPU time and memory of each process, read from `/proc`.
//!
//! Linux keeps the highest memory that a process ever had resident, so it is enough to look before it stops. Of PostgreSQL,
//! whose processes share most of theirs, only a sum of shares makes sense, and that is known for the moment only.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::numbers::{float, float_len};
use crate::report::Figure;

/// Linux shows CPU time to programs in hundredths of a second, whatever it counts in itself.
const TICK_MICROSECONDS: u64 = 10_000;
const PARTS: [&str; 5] = ["nats", "ledger", "postgres", "payments", "auth"];
/// The name under which this process stands in the tables: it makes the load and reads the answers.
const LOAD: &str = "load";

/// What one process, or PostgreSQL with its children, used up for one payment.
#[derive(Debug, Clone, Serialize)]
pub struct Cost {
    /// CPU time, user and system.
    pub cpu_us_per_payment: f64,
    /// Resident memory at its highest since the process started; for PostgreSQL what its processes
    /// hold together at the end of the run.
    pub memory_mib: f64,
}

/// The processes of one bank, and this one.
pub(crate) struct Processes {
    pid_files: PathBuf,
}

/// CPU time so far, in microseconds.
pub(crate) type CpuTimes = BTreeMap<&'static str, u64>;

impl Processes {
    /// Of the bank at `home`.
    pub(crate) fn of(home: &Path) -> Self {
        Self {
            pid_files: home.join("run"),
        }
    }

    /// CPU time of each; of one that does not run, zero.
    pub(crate) fn cpu_times(&self) -> CpuTimes {
        let parts = PARTS.into_iter().map(|part| {
            let time = self.pid(part).map_or(0, |pid| {
                let children = if part == "postgres" {
                    children(pid)
                } else {
                    Vec::new()
                };
                // A child that ended is counted by its parent.
                let alive: u64 = children.iter().map(|child| cpu_time(*child, false)).sum();
                cpu_time(pid, true) + alive
            });
            (part, time)
        });
        parts
            .chain([(LOAD, cpu_time(std::process::id(), false))])
            .collect()
    }

    /// What each used since `before`, for each of `payments`. Who did nothing is left out.
    pub(crate) fn costs_since(
        &self,
        before: &CpuTimes,
        payments: usize,
    ) -> BTreeMap<&'static str, Cost> {
        let now = self.cpu_times();
        let costs = now.into_iter().filter_map(|(part, time)| {
            let used = time.saturating_sub(before.get(part).copied().unwrap_or(0));
            let pid = match part {
                LOAD => std::process::id(),
                part => self.pid(part)?,
            };
            let cost = Cost {
                cpu_us_per_payment: float(used) / float_len(payments.max(1)),
                memory_mib: float(memory_kib(part, pid)) / 1024.0,
            };
            (used > 0).then_some((part, cost))
        });
        costs.collect()
    }

    /// Raises `peaks` to what the processes that run have had.
    pub(crate) fn note_memory(&self, peaks: &mut Peaks) {
        for part in PARTS {
            if let Some(pid) = self.pid(part) {
                peaks.raise(part, memory_kib(part, pid));
            }
        }
    }

    fn pid(&self, part: &str) -> Option<u32> {
        let text = fs::read_to_string(self.pid_files.join(format!("{part}.pid"))).ok()?;
        text.trim().parse().ok()
    }
}

/// The highest memory of each part of a bank, in KiB, whatever was stopped and started meanwhile.
#[derive(Debug, Clone, Default)]
pub(crate) struct Peaks(BTreeMap<&'static str, u64>);

impl Peaks {
    fn raise(&mut self, part: &'static str, kib: u64) {
        let peak = self.0.entry(part).or_default();
        *peak = kib.max(*peak);
    }

    /// Those of another bank too.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (part, kib) in &other.0 {
            self.raise(part, *kib);
        }
    }

    /// A figure for each part.
    pub(crate) fn figures(&self) -> impl Iterator<Item = Figure> {
        PARTS.into_iter().filter_map(|part| {
            let mib = float(*self.0.get(part)?) / 1024.0;
            let title = match part {
                "postgres" => "memory of PostgreSQL's processes together, the most after any run",
                "nats" => "memory of nats-server, the most at any time",
                "ledger" => "memory of the ledger, the most at any time",
                "payments" => "memory of payments, the most at any time",
                _ => "memory of auth, the most at any time",
            };
            Figure::new(&format!("{part}_memory_peak_mib"), title, "MiB", &[mib])
        })
    }
}

fn memory_kib(part: &str, pid: u32) -> u64 {
    match part {
        "postgres" => children(pid)
            .into_iter()
            .chain([pid])
            .map(|pid| field(&format!("/proc/{pid}/smaps_rollup"), "Pss:"))
            .sum(),
        _ => field(&format!("/proc/{pid}/status"), "VmHWM:"),
    }
}

/// Fields 14 to 17 of `/proc/<pid>/stat`: user and system time, its own and that of its reaped children.
fn cpu_time(pid: u32, with_reaped: bool) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The second field is a name in brackets, in which anything may stand.
    let rest = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields = rest.split_ascii_whitespace().skip(11);
    let ticks: u64 = fields
        .take(if with_reaped { 4 } else { 2 })
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    ticks * TICK_MICROSECONDS
}

/// CPU time that this process and all its children that ended have used, in seconds, and what the whole machine has.
pub(crate) fn own_and_all_seconds() -> (f64, f64) {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let all = text.lines().next().unwrap_or_default();
    // user, nice, system, (idle, iowait,) irq, softirq, steal
    let busy = all.split_ascii_whitespace().skip(1).enumerate();
    let ticks: u64 = busy
        .filter(|(column, _)| matches!(column, 0..=2 | 5..=7))
        .filter_map(|(_, field)| field.parse::<u64>().ok())
        .sum();
    let own = cpu_time(std::process::id(), true);
    (float(own) / 1e6, float(ticks * TICK_MICROSECONDS) / 1e6)
}

fn children(pid: u32) -> Vec<u32> {
    let list = format!("/proc/{pid}/task/{pid}/children");
    let text = fs::read_to_string(list).unwrap_or_default();
    text.split_ascii_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

/// A number of KiB in one of the files that have a name and a number a line.
pub(crate) fn field(file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_ascii_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}
