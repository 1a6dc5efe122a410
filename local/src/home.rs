//! The directory that holds everything one bank remembers: data, secrets, logs, and the process that runs it.
//!
//! One process at a time has it, see [`lock`].
//! Each checkout of this repository has its own bank unless `QUITTANCE_HOME` says otherwise.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use crate::install::{Found, Kept, Need, Wanted};
use crate::last_start::{LastStart, Program};
use crate::part::Part;
use crate::place::{short_hash, xdg};
use crate::ports::Ports;
use crate::producer::Producer;
use crate::secrets::{self, Secrets};
use crate::status::Status;
use crate::{install, lock, user};

/// What the name of a temporary home begins with, so that one left by a killed test is found again.
pub(crate) const TEMPORARY_PREFIX: &str = "quittance-test-";
/// A little more than the services and servers may take to stop one after the other.
const DOWN_DEADLINE: Duration = Duration::from_secs(60);
/// Where PostgreSQL keeps its files in a home.
pub(crate) const POSTGRES_DATA: &str = "postgres/data";
/// How long a supervisor that has closed everything may take to end.
const END_DEADLINE: Duration = Duration::from_secs(1);

/// A bank's directory, held by this process until dropped.
#[derive(Debug)]
pub struct Home {
    path: PathBuf,
    secrets: Secrets,
    last_start: LastStart,
    /// Released when closed.
    _lock: File,
    /// Removed when dropped, after everything else.
    temporary: Option<TempDir>,
}

impl Home {
    /// `QUITTANCE_HOME`, else `/var/lib/quittance/<checkout>` as root (PostgreSQL's user must be able
    /// to reach it), else `$XDG_STATE_HOME` or `~/.local/state` `/quittance/<checkout>`.
    pub fn default_path() -> Result<PathBuf> {
        if let Some(path) = env::var_os("QUITTANCE_HOME").filter(|path| !path.is_empty()) {
            return std::path::absolute(path).context("QUITTANCE_HOME is no usable path");
        }
        let state = if user::is_root() {
            PathBuf::from("/var/lib")
        } else {
            xdg("XDG_STATE_HOME", ".local/state")?
        };
        Ok(state.join("quittance").join(checkout_name()))
    }

    /// Whether a bank was ever opened in this directory.
    #[must_use]
    pub fn is_one(path: &Path) -> bool {
        path.join(lock::FILE).exists()
    }

    /// Opens the directory at `path`, or makes it. Fails when another process has it.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_with(path, None, false)
    }

    /// As [`Home::open`], but forgets everything that was in it.
    pub fn open_fresh(path: &Path) -> Result<Self> {
        Self::open_with(path, None, true)
    }

    /// A directory for a test, removed when dropped.
    pub fn temporary() -> Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix(TEMPORARY_PREFIX)
            .tempdir()
            .context("cannot make a temporary directory")?;
        let path = directory.path().to_owned();
        Self::open_with(&path, Some(directory), false)
    }

    fn open_with(path: &Path, temporary: Option<TempDir>, fresh: bool) -> Result<Self> {
        let path = std::path::absolute(path).context("the home directory is no usable path")?;
        let shown = path.display().to_string();
        fs::create_dir_all(&path).with_context(|| format!("cannot make {shown}"))?;
        let mut entries = fs::read_dir(&path).with_context(|| format!("cannot read {shown}"))?;
        if entries.next().is_some() && !path.join(lock::FILE).exists() {
            bail!("{shown} is not empty and not the home of a bank; it stays untouched");
        }
        let lock = lock::take_and_sign(&path)?;
        // A killed run may have left one; with the lock held again it would pass for ours.
        Status::remove(&path);
        if fresh {
            wipe(&path).with_context(|| format!("cannot empty {shown}"))?;
        }
        // As root, PostgreSQL's own user must pass through to its data; all else inside is closed to it.
        let mode = if user::is_root() { 0o711 } else { 0o700 };
        fs::set_permissions(&path, Permissions::from_mode(mode))?;
        for directory in ["logs", "run", "nats"] {
            make_private(&path.join(directory))?;
        }
        let secrets = Secrets::load_or_create(&path.join(secrets::FILE))?;
        let last_start = LastStart::read(&path);
        Ok(Self {
            path,
            secrets,
            last_start,
            _lock: lock,
            temporary,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the broker keeps its streams: each in `jetstream/<account>/streams/<stream>` below it.
    #[must_use]
    pub fn broker_store(&self) -> PathBuf {
        broker_store(&self.path)
    }

    /// The passwords and keys of this bank.
    #[must_use]
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Is it a test's, removed at the end?
    pub(crate) fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }

    /// Makes sure that each producer has a NATS password.
    pub(crate) fn add_producers(&mut self, producers: &[Producer]) -> Result<()> {
        let client_ids: Vec<&str> = producers
            .iter()
            .map(|producer| &*producer.client_id)
            .collect();
        if self.secrets.add_producers(&client_ids)? {
            self.secrets.save(&self.path.join(secrets::FILE))?;
        }
        Ok(())
    }

    /// Which broker can go on with the log of this bank.
    pub(crate) fn kept_nats(&self) -> Kept {
        let noted = self.last_start.programs.get(install::NATS.label);
        Kept {
            program: noted.map(|program| program.path.clone()),
            need: noted.map_or(Need::Any, |program| Need::AtLeast(program.version)),
        }
    }

    /// Which nginx ran; any will do.
    pub(crate) fn kept_nginx(&self) -> Kept {
        let noted = self.last_start.programs.get(install::NGINX.label);
        Kept {
            program: noted.map(|program| program.path.clone()),
            need: Need::Any,
        }
    }

    /// Which database server can go on with the data of this bank. They say so themselves.
    pub(crate) fn kept_postgres(&self) -> Kept {
        let noted = self.last_start.programs.get(install::POSTGRES.label);
        let major = fs::read_to_string(self.postgres_data().join("PG_VERSION")).ok();
        let major = major.and_then(|text| text.trim().split('.').next()?.parse().ok());
        Kept {
            program: noted.map(|program| program.path.clone()),
            need: major.map_or(Need::Any, Need::Major),
        }
    }

    /// Where PostgreSQL keeps its files.
    pub(crate) fn postgres_data(&self) -> PathBuf {
        self.path.join(POSTGRES_DATA)
    }

    /// What the gateway serves at `/static/`.
    #[must_use]
    pub fn static_files(&self) -> PathBuf {
        self.path.join("static")
    }

    /// Where the ledger keeps files that people ask for, and the gateway hands them out.
    #[must_use]
    pub fn media(&self) -> PathBuf {
        self.path.join("media")
    }

    /// A port for what is noted under this name.
    pub(crate) fn pick_port(&self, name: &str, ports: Ports, usual: u16) -> Result<u16> {
        ports.pick(self.last_start.ports.get(name).copied(), usual)
    }

    /// Notes the ports that are used now, for the next start.
    pub(crate) fn note_ports(&mut self, ports: &[(&str, u16)]) -> Result<()> {
        self.last_start.note_ports(&self.path, ports)
    }

    /// The ports that the home at `path` had at its last start, by the names of the parts.
    #[must_use]
    pub fn last_ports(path: &Path) -> BTreeMap<String, u16> {
        LastStart::read(path).ports
    }

    /// Notes what runs now, for the next start.
    pub(crate) fn note_program(&mut self, wanted: &Wanted, found: &Found) -> Result<()> {
        let program = Program {
            path: found.path.clone(),
            version: found.version,
        };
        let label = wanted.label.to_owned();
        self.last_start.programs.insert(label, program);
        self.last_start.write(&self.path)
    }

    /// Where the output of a part goes.
    #[must_use]
    pub fn log(&self, part: Part) -> PathBuf {
        self.path.join("logs").join(format!("{part}.log"))
    }

    /// Where the id of a part's process is noted.
    #[must_use]
    pub fn pid_file(&self, name: &str) -> PathBuf {
        self.path.join("run").join(format!("{name}.pid"))
    }

    /// Notes what runs, for `quittance status` and `quittance down`.
    pub fn publish(&self, status: &Status) -> Result<()> {
        status.write(&self.path)
    }

    /// Notes that nothing runs any more.
    pub(crate) fn unpublish(&self) {
        Status::remove(&self.path);
    }
}

/// Where the broker of the bank at `home` keeps its streams.
pub(crate) fn broker_store(home: &Path) -> PathBuf {
    home.join("nats/jetstream")
}

/// Stops the bank at `home` by asking its supervisor, and waits until it is gone. False when none runs.
pub fn down(home: &Path) -> Result<bool> {
    if !home.join(lock::FILE).exists() || lock::take(home).is_ok() {
        return Ok(false);
    }
    let file = home.join(lock::FILE);
    let text =
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let pid = text.parse().ok().and_then(Pid::from_raw);
    let pid = pid.with_context(|| format!("{} names no process", file.display()))?;
    // The lock is held, so its holder lives. But whoever could write this file may have named another process.
    if !lock::is_holder(home, pid) {
        bail!(
            "process {text}, which {} names, does not have this home open; it stays untouched",
            file.display()
        );
    }
    rustix::process::kill_process(pid, Signal::TERM)
        .with_context(|| format!("cannot stop the supervisor (process {text})"))?;
    let deadline = Instant::now() + DOWN_DEADLINE;
    while lock::take(home).is_err() {
        if Instant::now() > deadline {
            bail!("the supervisor (process {text}) does not stop");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    // The lock is released by a process that is ending. Where nobody collects ended processes it seems to stay.
    let deadline = Instant::now() + END_DEADLINE;
    while rustix::process::test_kill_process(pid).is_ok() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(true)
}

fn checkout_name() -> String {
    let crate_directory = Path::new(env!("CARGO_MANIFEST_DIR"));
    let checkout = crate_directory.parent().unwrap_or(crate_directory);
    let name = checkout.file_name().unwrap_or_default().to_string_lossy();
    format!(
        "{name}-{}",
        short_hash(checkout.as_os_str().as_encoded_bytes())
    )
}

pub(crate) fn make_private(path: &Path) -> Result<()> {
    fs::create_dir_all(path)
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o700)))
        .with_context(|| format!("cannot make {}", path.display()))
}

fn wipe(path: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_name() == lock::FILE {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_has_one_holder_at_a_time() {
        let first = Home::temporary().unwrap();
        let second = Home::open(first.path()).unwrap_err().to_string();
        assert!(second.contains("already runs"), "{second}");
    }

    #[test]
    fn a_directory_that_is_not_ours_is_neither_used_nor_wiped() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("thesis.txt");
        fs::write(&file, "irreplaceable").unwrap();
        let refusal = Home::open_fresh(directory.path()).unwrap_err().to_string();
        assert!(refusal.contains("stays untouched"), "{refusal}");
        assert!(file.exists());
    }

    #[test]
    fn a_fresh_home_has_new_secrets() {
        let directory = tempfile::tempdir().unwrap();
        let first = Home::open(directory.path()).unwrap().secrets().clone();
        let again = Home::open(directory.path()).unwrap().secrets().clone();
        let fresh = Home::open_fresh(directory.path())
            .unwrap()
            .secrets()
            .clone();
        assert_eq!(first.demo.ada, again.demo.ada);
        assert_ne!(first.demo.ada, fresh.demo.ada);
    }

    #[test]
    fn down_leaves_a_process_alone_that_does_not_have_the_home_open() {
        let home = Home::temporary().unwrap();
        let mut stranger = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let file = home.path().join(lock::FILE);
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(&file, stranger.id().to_string()).unwrap();
        let refusal = down(home.path()).unwrap_err().to_string();
        assert!(refusal.contains("stays untouched"), "{refusal}");
        assert!(stranger.try_wait().unwrap().is_none());
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    }

    #[test]
    fn nothing_runs_in_an_unused_home() {
        let directory = tempfile::tempdir().unwrap();
        assert!(!down(directory.path()).unwrap());
    }
}
