//! PostgreSQL: a cluster of our own, listening on loopback only, durable as a bank needs it.
//!
//! [`cluster`] makes its files, [`databases`] its roles and databases; this file starts the server and starts it again.
//! Everything here can be interrupted at any point and done again.

mod cluster;
mod databases;

use std::ffi::OsStr;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use sqlx::{ConnectOptions, Connection};

pub(crate) use databases::AUDITOR;

use crate::home::{Home, make_private};
use crate::install::{self, Found};
use crate::part::Part;
use crate::ports::{Ports, loopback};
use crate::process::{Farewell, Process, Program, stop_leftover};
use crate::user::{self, User};

/// The write-ahead log is replayed after a crash: up to `max_wal_size` of it.
const READY_LIMIT: Duration = Duration::from_secs(120);
/// How long the children of a killed server may take to end: they notice at their next wait.
const ORPHANS_LIMIT: Duration = Duration::from_secs(10);
/// Sizes for a machine with 2 cores and some GiB; durability is PostgreSQL's own default and stays so.
///
/// The server notices within 15 to 20 seconds, not hours, that the host of a client has vanished: a ledger there holds the
/// lock that the standby waits for. `tcp_user_timeout` (ms) is for a connection that waits for the lost client's
/// acknowledgement.
///
/// A new segment of the write-ahead log is not filled with zeros first. With zeros its first writer waited 40 to 60 ms,
/// each second under load, until segments were used again. What is written to it is synced all the same.
const SETTINGS: [&str; 15] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=100",
    "tcp_keepalives_idle=5",
    "tcp_keepalives_interval=5",
    "tcp_keepalives_count=3",
    "tcp_user_timeout=15000",
    "shared_buffers=256MB",
    "max_wal_size=4GB",
    "wal_compression=off",
    "wal_init_zero=off",
    "fsync=on",
    "synchronous_commit=on",
    "full_page_writes=on",
    "log_line_prefix=%m [%p] %q%u@%d ",
];

/// The database server of one bank.
#[derive(Debug)]
pub(crate) struct Postgres {
    pub(crate) found: Found,
    user: Option<User>,
    data: PathBuf,
    password: String,
    log: PathBuf,
    pid_file: PathBuf,
    pub(crate) port: u16,
    /// What a test sets otherwise than [`SETTINGS`].
    otherwise: Vec<String>,
    pub(crate) process: Process,
}

impl Postgres {
    /// Makes the cluster if there is none, starts the server, makes roles and databases.
    pub(crate) async fn start(found: Found, home: &Home, ports: Ports) -> Result<Self> {
        let user = user::unprivileged()?;
        let directory = home.path().join("postgres");
        make_private(&directory)?;
        if let Some(user) = &user {
            chown(&directory, Some(user.uid), Some(user.gid))
                .with_context(|| format!("cannot give {} to {}", directory.display(), user.name))?;
            user::must_be_reachable(install::POSTGRES.label, &directory, user)?;
            user::must_be_reachable(install::POSTGRES.label, &found.path, user)?;
        }
        let pid_file = home.pid_file(Part::Postgres.name());
        let data = home.postgres_data();
        stop_leftover(&pid_file, &data.display().to_string())?;
        let password = home.secrets().postgres["postgres"].clone();
        if !data.exists() {
            cluster::make(
                &found,
                user.as_ref(),
                &directory,
                &password,
                home.is_temporary(),
            )?;
        }
        let port = home.pick_port(Part::Postgres.name(), ports, 5433)?;
        let log = home.log(Part::Postgres);
        let process = spawn(&found, user.as_ref(), &data, port, &[], &log, &pid_file)?;
        let mut postgres = Self {
            found,
            user,
            data,
            password,
            log,
            pid_file,
            port,
            otherwise: Vec::new(),
            process,
        };
        if postgres.wait_until_ready().await.is_err() {
            postgres.restart().await?;
        }
        databases::make(home, port)
            .await
            .context("cannot make the databases")?;
        Ok(postgres)
    }

    /// Starts it again with these settings instead of [`SETTINGS`]', from now on.
    pub(crate) async fn restart_with(&mut self, settings: &[&str]) -> Result<()> {
        self.otherwise = settings
            .iter()
            .map(|setting| (*setting).to_owned())
            .collect();
        self.restart().await
    }

    /// Starts it again on the same port and the same data.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        self.process.stop();
        // The children of a killed server need a moment to notice; until then a new server may not use the data.
        let deadline = Instant::now() + ORPHANS_LIMIT;
        loop {
            let user = self.user.as_ref();
            self.process = spawn(
                &self.found,
                user,
                &self.data,
                self.port,
                &self.otherwise,
                &self.log,
                &self.pid_file,
            )?;
            let result = self.wait_until_ready().await;
            if result.is_ok() || self.process.is_running() || Instant::now() > deadline {
                return result;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The URL for a role, with its password.
    pub(crate) fn url(&self, home: &Home, role: &str, database: &str) -> String {
        let password = &home.secrets().postgres[role];
        // The server has no TLS: saying so spares each connection a round trip.
        format!(
            "postgres://{role}:{password}@{}/{database}?sslmode=disable",
            loopback(self.port)
        )
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let options = databases::superuser(self.port, &self.password, "postgres");
        self.process
            .wait_until_ready(READY_LIMIT, async || match options.connect().await {
                Ok(connection) => connection.close().await.is_ok(),
                Err(_) => false,
            })
            .await
    }
}

fn spawn(
    found: &Found,
    user: Option<&User>,
    data: &Path,
    port: u16,
    otherwise: &[String],
    log: &Path,
    pid_file: &Path,
) -> Result<Process> {
    let port = format!("port={port}");
    let mut arguments = vec![OsStr::new("-D"), data.as_os_str()];
    let otherwise = otherwise.iter().map(String::as_str);
    // Of two values the later one counts.
    for setting in SETTINGS.into_iter().chain([port.as_str()]).chain(otherwise) {
        arguments.extend([OsStr::new("-c"), OsStr::new(setting)]);
    }
    let program = Program {
        name: Part::Postgres.name(),
        path: &found.path,
        arguments,
        environment: Vec::new(),
        log: log.to_owned(),
        pid_file: pid_file.to_owned(),
    };
    Process::server(&program, user, Farewell::Interrupt)
}
