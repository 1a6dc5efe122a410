//! A log that has a line for each request: whoever sends requests must not be able to fill the bank's disk with it.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// Some hundred thousand requests; the same again stays in the file before.
pub(crate) const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Where the lines before are kept: `gateway.log.1`.
fn before(log: &Path) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(".1");
    name.into()
}

/// Empties a log that has become too long, once it is copied. Its writers go on at its end, which is its beginning now; what
/// they write meanwhile is lost.
pub(crate) fn bound(log: &Path, bytes_max: u64) -> io::Result<()> {
    if fs::metadata(log)?.len() <= bytes_max {
        return Ok(());
    }
    let copied = fs::copy(log, before(log));
    // Without room for a copy it is emptied all the same.
    OpenOptions::new().write(true).open(log)?.set_len(0)?;
    copied.map(|_| ())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_log_of_requests_never_takes_more_than_two_files() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("gateway.log");
        let mut writer = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&log)
            .unwrap();
        for line in 0..10 {
            writeln!(writer, "line {line}").unwrap();
            bound(&log, 12).unwrap();
        }
        assert_eq!(
            fs::read_to_string(before(&log)).unwrap(),
            "line 8\nline 9\n"
        );
        assert_eq!(fs::read_to_string(&log).unwrap(), "");
        writeln!(writer, "line 10").unwrap();
        assert_eq!(fs::read_to_string(&log).unwrap(), "line 10\n");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }
}
