//! A home for a bank, and the program, run in it as somebody types it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// What a command printed and how it ended.
pub(crate) struct Ran {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: i32,
}

impl Ran {
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.stdout, self.stderr);
        self.stdout
    }

    #[track_caller]
    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.ok()).unwrap()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code().unwrap(),
        }
    }
}

pub(crate) fn quittance(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quittance"));
    command.env("QUITTANCE_HOME", home);
    command.env_remove("QUITTANCE_BANK");
    // What a shell may hold, and what must not matter to us.
    command
        .env("PGOPTIONS", "-c search_path=myapp")
        .env("PGHOST", "nowhere.invalid")
        .env("http_proxy", "http://127.0.0.1:1");
    command
}

pub(crate) fn run(home: &Path, arguments: &str) -> Ran {
    let mut command = quittance(home);
    command.args(arguments.split_whitespace());
    command.output().unwrap().into()
}

/// A home that PostgreSQL's own user may enter; what runs in it is stopped at the end.
pub(crate) struct Home {
    pub(crate) directory: tempfile::TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        Self { directory }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("bank")
    }

    pub(crate) fn run(&self, arguments: &str) -> Ran {
        run(&self.path(), arguments)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.run("down");
    }
}
