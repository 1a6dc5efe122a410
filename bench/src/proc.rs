//! What Linux says in `/proc`: CPU time, children and memory of a process, and the CPU time of the whole machine.

use std::fs;

use crate::numbers::float;

/// Linux shows CPU time to programs in hundredths of a second, whatever it counts in itself.
const TICK_MICROSECONDS: u64 = 10_000;

/// Fields 14 to 17 of `/proc/<pid>/stat`: user and system time, its own and that of its reaped children.
pub(crate) fn cpu_time(pid: u32, with_reaped: bool) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The second field is a name in brackets, which may contain anything.
    let rest = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields = rest.split_ascii_whitespace().skip(11);
    let ticks: u64 = fields
        .take(if with_reaped { 4 } else { 2 })
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    ticks * TICK_MICROSECONDS
}

/// CPU seconds of this process with its children that ended, and of the whole machine.
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

/// The children of a process, and not theirs.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let list = format!("/proc/{pid}/task/{pid}/children");
    let text = fs::read_to_string(list).unwrap_or_default();
    text.split_ascii_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

/// A number of KiB from a file with one name and number per line.
pub(crate) fn field(file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_ascii_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}
