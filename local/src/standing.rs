//! Processes whose clock stands still.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A stop is a matter of milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until a process that was sent SIGSTOP has stopped: the signal is sent before every thread has heard it, and one that
/// still runs may answer. Where there is no `/proc`, it does not wait. Panics when the process goes on.
pub fn stands_still(pid: u32) {
    wait_until_stopped(pid, |_, of| of == pid);
}

/// The same for all processes of a group.
pub(crate) fn group_stands_still(group: u32) {
    wait_until_stopped(group, |in_group, _| in_group == group);
}

fn wait_until_stopped(pid: u32, is_meant: impl Fn(u32, u32) -> bool) {
    let begun = Instant::now();
    while !threads(&is_meant).iter().all(|state| *state == 'T') {
        assert!(begun.elapsed() < PATIENCE, "process {pid} goes on");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The state of each thread of these processes, by group and id.
fn threads(is_meant: impl Fn(u32, u32) -> bool) -> Vec<char> {
    let mut states = Vec::new();
    for process in entries(Path::new("/proc")) {
        let id = process.file_name().and_then(|name| name.to_str());
        let Some(id) = id.and_then(|name| name.parse().ok()) else {
            continue;
        };
        let group = state_and_group(&process).map(|(_, group)| group);
        if group.is_some_and(|group| is_meant(group, id)) {
            let threads = entries(&process.join("task"));
            states.extend(
                threads
                    .iter()
                    .filter_map(|thread| Some(state_and_group(thread)?.0)),
            );
        }
    }
    // A zombie does nothing.
    states.retain(|state| !matches!(state, 'Z' | 'X'));
    states
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect()
}

/// From `pid (name) state parent group …`, where the name may hold anything; `None` of whoever has ended.
fn state_and_group(process: &Path) -> Option<(char, u32)> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(1)?.parse().ok()?))
}
