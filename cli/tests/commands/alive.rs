//! Which processes a bank has, and whether they run.

use std::fs;

use crate::home::Home;

impl Home {
    /// The process ids of everything that runs here.
    pub(crate) fn pids(&self) -> Vec<String> {
        let noted = fs::read_dir(self.path().join("run")).unwrap();
        let noted = noted.map(|entry| entry.unwrap().path());
        let files = noted.chain([self.path().join("quittance.lock")]);
        files
            .map(|file| fs::read_to_string(file).unwrap())
            .collect()
    }
}

/// Whether the process runs. One that ended and was not reaped has no command line.
pub(crate) fn is_alive(pid: &str) -> bool {
    fs::read(format!("/proc/{}/cmdline", pid.trim())).is_ok_and(|line| !line.is_empty())
}
