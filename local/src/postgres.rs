//! PostgreSQL: a cluster of our own, listening on loopback only, durable as a bank needs it.
//!
//! Per service a database, owned by `<service>_owner` (migrations), used by `<service>` (what the
//! migrations grant). Nobody else may connect to it: payments cannot read the ledger's tables. Only
//! `audit` may read, and nothing but read, the ledger's.
//! Everything here can be interrupted at any point and done again.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

use crate::home::{Home, make_private};
use crate::install::Found;
use crate::part::{Part, Service};
use crate::ports::{Ports, loopback};
use crate::process::{Process, Program, stop_leftover};
use crate::secrets::write_private;
use crate::user::{self, User};

/// The write-ahead log is replayed after a crash: up to `max_wal_size` of it.
const READY_LIMIT: Duration = Duration::from_secs(120);
/// How long the children of a killed server may take to end: they look up at their next wait.
const ORPHANS_LIMIT: Duration = Duration::from_secs(10);
/// Sizes for a machine with 2 cores and some GiB; durability is PostgreSQL's own default and stays so.
///
/// A client whose host is lost without a word is noticed within 15 to 20 seconds, not hours: a ledger there holds the lock
/// that the standby waits for. `tcp_user_timeout` (ms) is for a connection that waits for the lost client's acknowledgement.
///
/// A new segment of the write-ahead log is not filled with zeros first: whoever needed it waited 40 to 60 ms for that, each
/// second under load, until segments were used again. What is written to it is synced all the same.
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

/// The role that may read the ledger's tables and nothing else: `quittance audit`.
pub(crate) const AUDITOR: &str = "audit";

/// The database server of one bank.
#[derive(Debug)]
pub(crate) struct Postgres {
    found: Found,
    user: Option<User>,
    data: PathBuf,
    password: String,
    log: PathBuf,
    pid_file: PathBuf,
    pub(crate) port: u16,
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
            user::must_be_reachable(&directory, user)?;
            user::must_be_reachable(&found.path, user)?;
        }
        let pid_file = home.pid_file(Part::Postgres.name());
        let data = directory.join("data");
        stop_leftover(&pid_file, &data.display().to_string())?;
        let password = home.secrets().postgres["postgres"].clone();
        if !data.exists() {
            make_cluster(
                &found,
                user.as_ref(),
                &directory,
                &password,
                home.is_temporary(),
            )?;
        }
        let port = ports.pick(5433)?;
        let log = home.log(Part::Postgres);
        let process = spawn(&found, user.as_ref(), &data, port, &log, &pid_file)?;
        let mut postgres = Self {
            found,
            user,
            data,
            password,
            log,
            pid_file,
            port,
            process,
        };
        if postgres.wait_until_ready().await.is_err() {
            postgres.restart().await?;
        }
        postgres
            .make_databases(home)
            .await
            .context("cannot make the databases")?;
        Ok(postgres)
    }

    /// Starts it again on the same port and the same data.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        self.process.stop();
        // The children of a killed server need a moment to notice; until then it is refused its data.
        let deadline = Instant::now() + ORPHANS_LIMIT;
        loop {
            let user = self.user.as_ref();
            self.process = spawn(
                &self.found,
                user,
                &self.data,
                self.port,
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
        let options = superuser(self.port, &self.password, "postgres");
        self.process
            .wait_until_ready(READY_LIMIT, async || match options.connect().await {
                Ok(connection) => connection.close().await.is_ok(),
                Err(_) => false,
            })
            .await
    }

    async fn make_databases(&self, home: &Home) -> Result<()> {
        let mut connection = superuser(self.port, &self.password, "postgres")
            .connect()
            .await?;
        run(
            &mut connection,
            "revoke connect on database postgres, template1 from public",
        )
        .await?;
        connection.close().await?;
        let [auth, ledger, payments] = Service::ALL;
        tokio::try_join!(
            self.make_database(home, auth),
            self.make_database(home, ledger),
            self.make_database(home, payments),
        )?;
        Ok(())
    }

    async fn make_database(&self, home: &Home, service: Service) -> Result<()> {
        let name = service.name();
        let mut connection = superuser(self.port, &self.password, "postgres")
            .connect()
            .await?;
        // A failing statement is logged, and these have passwords in them.
        run(&mut connection, "set log_min_error_statement = panic").await?;
        for role in [name.to_owned(), format!("{name}_owner")] {
            make_role(&mut connection, home, &role).await?;
        }
        let query = "select from pg_database where datname = $1";
        if !exists(&mut connection, query, name).await? {
            // Copying files is the faster strategy for an empty template (measured: by a tenth of a start).
            let create = format!("create database {name} owner {name}_owner strategy file_copy");
            run(&mut connection, &create).await?;
        }
        let mut users = name.to_owned();
        if service == Service::Ledger {
            make_role(&mut connection, home, AUDITOR).await?;
            users += ", ";
            users += AUDITOR;
        }
        let close = format!(
            "revoke all on database {name} from public; grant connect on database {name} to {users}"
        );
        run(&mut connection, &close).await?;
        connection.close().await?;
        let mut inside = superuser(self.port, &self.password, name).connect().await?;
        let close = format!(
            "alter schema public owner to {name}_owner; revoke all on schema public from public;
             grant usage on schema public to {users}"
        );
        run(&mut inside, &close).await?;
        inside.close().await?;
        Ok(())
    }
}

/// Makes the role if there is none, and sets its password.
async fn make_role(connection: &mut PgConnection, home: &Home, role: &str) -> sqlx::Result<()> {
    let query = "select from pg_roles where rolname = $1";
    if !exists(connection, query, role).await? {
        run(connection, &format!("create role {role}")).await?;
    }
    let password = &home.secrets().postgres[role];
    let login = format!("alter role {role} login password '{password}'");
    run(connection, &login).await
}

/// `initdb` beside the final place, then a rename: a half-made cluster is never used.
fn make_cluster(
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

fn spawn(
    found: &Found,
    user: Option<&User>,
    data: &Path,
    port: u16,
    log: &Path,
    pid_file: &Path,
) -> Result<Process> {
    let port = format!("port={port}");
    let mut arguments = vec![OsStr::new("-D"), data.as_os_str()];
    for setting in SETTINGS.into_iter().chain([port.as_str()]) {
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
    Process::server(&program, user)
}

fn superuser(port: u16, password: &str, database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(port)
        .username("postgres")
        .password(password)
        .database(database)
        .ssl_mode(PgSslMode::Disable)
}

/// Statements without parameters, made of our own names and of passwords of letters and digits.
async fn run(connection: &mut PgConnection, statements: &str) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statements))
        .execute(connection)
        .await?;
    Ok(())
}

async fn exists(
    connection: &mut PgConnection,
    query: &'static str,
    name: &str,
) -> sqlx::Result<bool> {
    Ok(sqlx::query(query)
        .bind(name)
        .fetch_optional(connection)
        .await?
        .is_some())
}
