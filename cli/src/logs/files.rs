//! The files of a bank on this machine: the gateway's, whose lines nobody publishes, and where auth does not answer those of
//! the services too.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::shown::{Line, Wanted};

/// Bytes read from the end of a file: as much as one takes, see `local/src/bounded_log.rs`.
const BYTES_MAX: u64 = 64 * 1024 * 1024;
const SERVICES: [&str; 4] = ["auth", "ledger", "payments", "console"];

/// One file, and up to where it is read.
pub(super) struct LogFile {
    part: &'static str,
    path: PathBuf,
    read: u64,
}

impl LogFile {
    fn of(home: &Path, part: &'static str) -> Self {
        let path = home.join("logs").join(format!("{part}.log"));
        Self {
            part,
            path,
            read: 0,
        }
    }

    /// The gateway's.
    pub(super) fn of_gateway(home: &Path) -> Self {
        Self::of(home, "gateway")
    }

    /// Those of all services.
    pub(super) fn of_services(home: &Path) -> Vec<Self> {
        SERVICES.map(|part| Self::of(home, part)).into()
    }

    /// The lines that came since the last look and fit. A file that is not there has none.
    pub(super) fn lines(&mut self, wanted: &Wanted, traces: &BTreeSet<String>) -> Vec<Line> {
        let text = self.news().unwrap_or_default();
        let lines = text.lines().filter_map(|text| match self.part {
            "gateway" => Line::of_gateway(text),
            service => Line::of_service(service, text),
        });
        lines.filter(|line| wanted.fits(line, traces)).collect()
    }

    /// What stands behind what was read, up to its last whole line.
    fn news(&mut self) -> std::io::Result<String> {
        let mut file = File::open(&self.path)?;
        let length = file.metadata()?.len();
        // It was emptied because it had become too long.
        if length < self.read {
            self.read = 0;
        }
        let from = self.read.max(length.saturating_sub(BYTES_MAX));
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(length - from).read_to_end(&mut bytes)?;
        let end = bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        bytes.truncate(end);
        self.read = from + u64::try_from(end).unwrap_or(0);
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_read_by_whole_lines_and_again_when_it_was_emptied() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("logs")).unwrap();
        let path = home.path().join("logs/gateway.log");
        let line =
            r#"{"timestamp":"2026-11-23T18:02:57+00:00","method":"GET","path":"/","status":200}"#;
        let mut file = LogFile::of_gateway(home.path());
        let mut count = || file.lines(&Wanted::default(), &BTreeSet::new()).len();
        assert_eq!(count(), 0);
        fs::write(&path, format!("{line}\n{line}\n{}", &line[..20])).unwrap();
        assert_eq!(count(), 2);
        fs::write(&path, format!("{line}\n{line}\n{line}\n")).unwrap();
        assert_eq!(count(), 1);
        fs::write(&path, format!("{line}\n")).unwrap();
        assert_eq!(count(), 1);
    }
}
