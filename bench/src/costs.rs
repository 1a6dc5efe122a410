//! What a run costs: CPU time and memory of each process of a bank, and of the load generator.
//!
//! Linux remembers the highest resident memory of a process, so one look before it stops is enough. PostgreSQL's processes
//! share most of their memory: only the sum of their shares makes sense, and Linux knows that for the present moment only.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::figure::{Cost, Figure};
use crate::numbers::{float, float_len};
use crate::proc::{children, cpu_time, field};

const PARTS: [&str; 6] = ["nats", "ledger", "postgres", "payments", "auth", "gateway"];
/// This process in the tables: it makes the load and reads the answers.
const LOAD: &str = "load";

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

    /// CPU time of each process; zero for one that does not run.
    pub(crate) fn cpu_times(&self) -> CpuTimes {
        let parts = PARTS.into_iter().map(|part| {
            let time = self.pid(part).map_or(0, |pid| {
                let children = if has_children(part) {
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

    /// What each process used since `before`, per payment. A process that did nothing is left out.
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

    /// Raises `peaks` to the highest memory of the running processes.
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

    /// Takes in the peaks of another bank.
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
                "gateway" => "memory of nginx' processes together, the most after any run",
                "payments" => "memory of payments, the most at any time",
                _ => "memory of auth, the most at any time",
            };
            Figure::new(&format!("{part}_memory_peak_mib"), title, "MiB", &[mib])
        })
    }
}

/// PostgreSQL works in the processes of its connections, nginx in its workers.
fn has_children(part: &str) -> bool {
    ["postgres", "gateway"].contains(&part)
}

fn memory_kib(part: &str, pid: u32) -> u64 {
    match part {
        part if has_children(part) => children(pid)
            .into_iter()
            .chain([pid])
            .map(|pid| field(&format!("/proc/{pid}/smaps_rollup"), "Pss:"))
            .sum(),
        _ => field(&format!("/proc/{pid}/status"), "VmHWM:"),
    }
}
