//! The files of a cluster, made by `initdb`.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::install::Found;
use crate::secrets::write_private;
use crate::user::User;

/// `initdb` beside the final place, then a rename: a half-made cluster is never used.
pub(crate) fn make(
    found: &Found,
    user: Option<&User>,
    directory: &Path,
    password: &str,
    is_temporary: bool,
) -> Result<()> {
    let new = directory.join("data.new");
    if new.exists() {
        fs::remove_dir_all(&new).with_context(|| format!("cannot remove {}", new.display()))?;
    }
    let password_file = directory.join("password");
    write_private(&password_file, password.as_bytes())?;
    if let Some(user) = user {
        chown(&password_file, Some(user.uid), Some(user.gid))
            .context("cannot give the password file away")?;
    }
    let mut initdb = Command::new("/bin/sh");
    initdb
        .args(["-c", r#"umask 077; exec "$@""#, "sh"])
        .arg(found.path.with_file_name("initdb"));
    initdb.args([
        "--username=postgres",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        // From version 18 on it is the default; a ledger leads no database without.
        "--data-checksums",
        "--no-instructions",
    ]);
    initdb.arg(OsString::from_iter([
        OsStr::new("--pgdata="),
        new.as_os_str(),
    ]));
    initdb.arg(OsString::from_iter([
        OsStr::new("--pwfile="),
        password_file.as_os_str(),
    ]));
    // The same order of text on every system: by code point.
    if found.version.0 >= 17 {
        initdb.args(["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]);
    } else {
        initdb.arg("--locale=C");
    }
    if is_temporary {
        initdb.arg("--no-sync");
    }
    initdb
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LC_ALL", "C")
        .current_dir("/");
    initdb.stdin(Stdio::null());
    if let Some(user) = user {
        initdb.uid(user.uid).gid(user.gid);
    }
    let output = initdb.output().context("cannot run initdb")?;
    fs::remove_file(&password_file).context("cannot remove the password file")?;
    if !output.status.success() {
        bail!(
            "initdb failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    fs::rename(&new, directory.join("data")).context("cannot put the new cluster in its place")
}
