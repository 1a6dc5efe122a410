//! One supervised process: started, watched, killed, stopped, and never left behind.
//!
//! Two kinds. *Servers* (nats-server, postgres, nginx) are not our programs and know nothing of us, so a
//! small `sh` watcher stands beside each: its stdin is a pipe that we hold, and when the pipe closes
//! (we stopped, or died, even by `kill -9`) it sends the server the signal that it takes as "stop in
//! order", see [`Farewell`]. *Services* are our own program and watch the pipe themselves (`QUITTANCE_STOP_WITH_PARENT`).
//!
//! Each has a process group of its own, so that the terminal's Ctrl-C reaches only us and we decide
//! the order. The watcher is in its server's group: as long as it lives, the system gives the
//! server's pid to nobody else, so it can never signal a stranger.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal};

use crate::standing;
use crate::user::User;

/// How long a process may take to stop in order before it is killed: PostgreSQL writes a checkpoint.
const STOP_DEADLINE: Duration = Duration::from_secs(20);
/// How often to look whether a process has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(2);
/// How much of a log an error quotes.
const LOG_TAIL_LINES: usize = 15;

/// How a server that is not ours hears that it shall stop in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// SIGINT: nats-server and postgres.
    Interrupt,
    /// SIGQUIT: nginx answers the requests that it has. A stream among them never ends, so after some seconds its workers
    /// end too. They may outlive nginx' first process; they are in its process group.
    Drain,
}

impl Farewell {
    /// Becomes the server (`exec`). The watcher starts first: no child of the server, but in its process group.
    const fn guard(self) -> &'static str {
        match self {
            Self::Interrupt => {
                r#"exec 3<&0; ( { read -r line <&3; kill -s INT $$; } & ); exec 3<&- </dev/null; exec "$@""#
            }
            Self::Drain => {
                r#"exec 3<&0; ( { read -r line <&3; kill -s QUIT $$; sleep 3; kill -s TERM 0; } & ); exec 3<&- </dev/null; exec "$@""#
            }
        }
    }
}

/// What to start and where its output goes.
pub(crate) struct Program<'a> {
    pub(crate) name: &'static str,
    pub(crate) path: &'a Path,
    pub(crate) arguments: Vec<&'a OsStr>,
    pub(crate) environment: Vec<(String, String)>,
    /// stdout and stderr are appended here.
    pub(crate) log: PathBuf,
    /// Where to note the pid for a later run, see [`stop_leftover`].
    pub(crate) pid_file: PathBuf,
}

/// A running child process. Dropping it stops it.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    child: Child,
    /// Closing it is the only order to stop: a stop and our death look the same.
    lifeline: Option<ChildStdin>,
    pid: Pid,
    /// Of a server, beside which a watcher stands.
    farewell: Option<Farewell>,
    log: PathBuf,
    pid_file: PathBuf,
    /// It ended, was reaped and its watcher is gone: the pid may belong to another process now.
    is_over: bool,
}

/// Runs a command of ours to its end, however long it takes.
///
/// # Errors
/// When it can't be started or ends with another code than 0: `failed`, and what it said.
pub(crate) async fn run_to_the_end(
    command: &mut tokio::process::Command,
    failed: &str,
) -> Result<()> {
    let output = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| {
            let program = Path::new(command.as_std().get_program());
            format!("cannot start {}", program.display())
        })?;
    ensure!(
        output.status.success(),
        "{failed}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

impl Process {
    /// Starts a server that is not ours, with a watcher, as `user` (only root can) or as ourselves,
    /// and with no environment but the one given.
    pub(crate) fn server(
        program: &Program<'_>,
        user: Option<&User>,
        farewell: Farewell,
    ) -> Result<Self> {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", farewell.guard(), "sh"])
            .arg(program.path)
            .args(&program.arguments);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C")
            .current_dir("/");
        if let Some(user) = user {
            command.uid(user.uid).gid(user.gid);
        }
        Self::spawn(program, command, Some(farewell))
    }

    /// Starts one of our services, which stops by itself when its stdin closes.
    pub(crate) fn service(program: &Program<'_>) -> Result<Self> {
        let mut command = Command::new(program.path);
        command
            .args(&program.arguments)
            .env("QUITTANCE_STOP_WITH_PARENT", "true");
        Self::spawn(program, command, None)
    }

    fn spawn(
        program: &Program<'_>,
        mut command: Command,
        farewell: Option<Farewell>,
    ) -> Result<Self> {
        let name = program.name;
        let open = || {
            OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o600)
                .open(&program.log)
        };
        let log = open().with_context(|| format!("cannot open {}", program.log.display()))?;
        command
            .envs(program.environment.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::piped())
            .stdout(log.try_clone().context("cannot share the log file")?)
            .stderr(log)
            .process_group(0);
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {name} ({})", program.path.display()))?;
        let pid = Pid::from_child(&child);
        let process = Self {
            name,
            lifeline: child.stdin.take(),
            child,
            pid,
            farewell,
            log: program.log.clone(),
            pid_file: program.pid_file.clone(),
            is_over: false,
        };
        fs::write(&process.pid_file, process.id().to_string())
            .with_context(|| format!("cannot write {}", process.pid_file.display()))?;
        Ok(process)
    }

    /// The process id of the server or service itself.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended; `None` while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        // An error would mean that it is no child of ours (any more): then it does not run either.
        self.child.try_wait().unwrap_or(Some(ExitStatus::default()))
    }

    /// Does it still run?
    pub fn is_running(&mut self) -> bool {
        self.ended().is_none()
    }

    /// `kill -9`: no farewell, nothing flushed. For tests of crashes.
    pub fn kill_hard(&mut self) {
        if self.is_over {
            return;
        }
        if self.is_running() {
            // ESRCH is the only possible error: it ended in between.
            rustix::process::kill_process(self.pid, Signal::KILL).ok();
        }
        self.child.wait().ok();
        self.lifeline = None;
        if self.farewell.is_some() {
            rustix::process::kill_process_group(self.pid, Signal::KILL).ok();
        }
        fs::remove_file(&self.pid_file).ok();
        self.is_over = true;
    }

    /// Stops its clock (SIGSTOP) until [`Process::thaw`]: it is there and answers nothing. For tests.
    pub fn freeze(&mut self) {
        self.signal(Signal::STOP);
        if !self.is_running() {
            return;
        }
        match self.farewell {
            Some(Farewell::Drain) => standing::group_stands_still(self.id()),
            Some(_) | None => standing::stands_still(self.id()),
        }
    }

    /// Lets it go on.
    pub fn thaw(&mut self) {
        self.signal(Signal::CONT);
    }

    /// Asks it to leave (SIGTERM), and does not wait.
    pub fn ask_to_leave(&mut self) {
        self.signal(Signal::TERM);
    }

    /// Has it read its configuration again (SIGHUP).
    pub(crate) fn reload(&mut self) {
        if !self.is_over && self.is_running() {
            rustix::process::kill_process(self.pid, Signal::HUP).ok();
        }
    }

    fn signal(&mut self, signal: Signal) {
        if self.is_over || !self.is_running() {
            return;
        }
        // ESRCH is the only possible error: it ended in between.
        if self.farewell == Some(Farewell::Drain) {
            // It answers through its workers.
            rustix::process::kill_process_group(self.pid, signal).ok();
        } else {
            rustix::process::kill_process(self.pid, signal).ok();
        }
    }

    /// Asks it to stop, waits, and kills it when it takes longer than 20 seconds.
    pub fn stop(&mut self) {
        if self.is_running() {
            self.lifeline = None;
            let deadline = Instant::now() + STOP_DEADLINE;
            while self.is_running() && Instant::now() < deadline {
                std::thread::sleep(POLL_INTERVAL);
            }
        }
        self.kill_hard();
    }

    /// Waits until `ready` says true. Fails, quoting the log, when the process ends or takes longer than `limit`.
    pub(crate) async fn wait_until_ready(
        &mut self,
        limit: Duration,
        mut ready: impl AsyncFnMut() -> bool,
    ) -> Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            if ready().await {
                return Ok(());
            }
            let problem = match self.ended() {
                Some(status) => format!("{} stopped while starting ({status})", self.name),
                None if Instant::now() > deadline => {
                    format!("{} is not ready after {} s", self.name, limit.as_secs())
                }
                None => {
                    tokio::time::sleep(POLL_INTERVAL).await;
                    continue;
                }
            };
            anyhow::bail!(
                "{problem}; the end of {}:\n{}",
                self.log.display(),
                tail(&self.log)
            );
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Stops what an earlier run left running: the process noted in `pid_file`, if it is alive and its
/// command line contains `needle`.
pub(crate) fn stop_leftover(pid_file: &Path, needle: &str) -> Result<()> {
    let Ok(text) = fs::read_to_string(pid_file) else {
        return Ok(());
    };
    let Some(pid) = text.trim().parse().ok().and_then(Pid::from_raw) else {
        return Ok(());
    };
    let is_alive = || command_line(pid).is_some_and(|line| line.contains(needle));
    for signal in [Signal::INT, Signal::KILL] {
        let deadline = Instant::now() + STOP_DEADLINE;
        if is_alive() {
            rustix::process::kill_process(pid, signal)
                .with_context(|| format!("cannot stop process {text} of an earlier run"))?;
        }
        while is_alive() && Instant::now() < deadline {
            std::thread::sleep(POLL_INTERVAL);
        }
    }
    fs::remove_file(pid_file).ok();
    Ok(())
}

/// The last lines of a log, indented.
#[must_use]
pub fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.len().saturating_sub(LOG_TAIL_LINES);
    lines[first..]
        .iter()
        .map(|line| format!("  {line}\n"))
        .collect()
}

/// The command line of a process; empty for one that ended and was not reaped, `None` when there is none.
fn command_line(pid: Pid) -> Option<String> {
    let pid = pid.as_raw_nonzero();
    if Path::new("/proc/self").exists() {
        let bytes = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        return Some(String::from_utf8_lossy(&bytes).replace('\0', " "));
    }
    let output = Command::new("ps")
        .args(["-o", "command=", "-p"])
        .arg(pid.to_string())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
