//! The lock of a home: one process at a time has a bank, and the system releases it however that process ends.

use std::fs::{self, File, Permissions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Pid;

/// The lock, with its holder's pid in it; also the mark by which a directory is known as ours.
pub(crate) const FILE: &str = "quittance.lock";
/// Asking whether a bank runs takes the lock for a moment: try again before refusing.
const LOCK_PATIENCE: Duration = Duration::from_millis(200);

/// Takes the lock for good and writes our pid into it.
pub(crate) fn take_and_sign(path: &Path) -> Result<File> {
    let deadline = Instant::now() + LOCK_PATIENCE;
    let mut file = loop {
        match take(path) {
            Err(_) if Instant::now() < deadline => std::thread::sleep(LOCK_PATIENCE / 10),
            result => break result?,
        }
    };
    // One that an older version made may be open to others.
    file.set_permissions(Permissions::from_mode(0o600))
        .and_then(|()| file.set_len(0))
        .and_then(|()| file.write_all(std::process::id().to_string().as_bytes()))
        .with_context(|| format!("cannot write to the lock in {}", path.display()))?;
    Ok(file)
}

/// Takes the lock of the home at `path`, or fails when another holds it.
pub(crate) fn take(path: &Path) -> Result<File> {
    let file = File::options()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path.join(FILE));
    let file = file.with_context(|| format!("cannot open the lock in {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!(
            "a bank already runs from {}; stop it first, or set QUITTANCE_HOME for another one",
            path.display()
        ),
        Err(TryLockError::Error(error)) => Err(error).context("cannot lock the home directory"),
    }
}

/// Whether a process has the lock's file open. Where the system does not show that, its word is taken.
pub(crate) fn is_holder(path: &Path, pid: Pid) -> bool {
    if !Path::new("/proc/self/fd").exists() {
        return true;
    }
    let Ok(file) = path.join(FILE).canonicalize() else {
        return false;
    };
    let open = fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero()));
    open.is_ok_and(|open| {
        open.flatten()
            .any(|entry| fs::read_link(entry.path()).is_ok_and(|target| target == file))
    })
}
