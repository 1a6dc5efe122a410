//! PostgreSQL and NATS together: what a service needs to run, and what a test of one crate starts.

use std::path::Path;

use anyhow::{Context, Result};

use crate::home::Home;
use crate::install::{self, Found, Kept, Wanted};
use crate::nats::{self, Nats};
use crate::part::{Part, Service};
use crate::ports::{Ports, loopback};
use crate::postgres::{AUDITOR, Postgres};
use crate::process::{Process, run_to_the_end};
use crate::producer::Producer;
use crate::progress::{Progress, advanced, finished, started};

/// Nothing listens on the port of `tcpmux`, which no service has used for decades.
const NOBODYS_PORT: u16 = 1;

/// The options of [`Servers::start`].
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Which ports to listen on.
    pub ports: Ports,
    /// Who gets a NATS login in the account EDGE or DIRECT; each gets a password of its own.
    pub producers: Vec<Producer>,
}

/// A running PostgreSQL and NATS with the bank's roles, databases and accounts. Dropping stops both.
#[derive(Debug)]
pub struct Servers {
    // In the order in which they are dropped.
    nats: Nats,
    postgres: Postgres,
    home: Home,
}

impl Servers {
    /// Finds or installs both servers, starts them side by side, and waits until both can be used.
    pub async fn start(
        mut home: Home,
        options: &ServerOptions,
        progress: &Progress,
    ) -> Result<Self> {
        home.add_producers(&options.producers)?;
        let postgres = async {
            started(progress, install::POSTGRES.label);
            let found = find(&install::POSTGRES, home.kept_postgres(), progress).await?;
            advanced(progress, install::POSTGRES.label, "starting");
            let postgres = Postgres::start(found, &home, options.ports).await?;
            finished(progress, install::POSTGRES.label);
            anyhow::Ok(postgres)
        };
        let nats = async {
            started(progress, install::NATS.label);
            let found = find(&install::NATS, home.kept_nats(), progress).await?;
            advanced(progress, install::NATS.label, "starting");
            let nats = Nats::start(found, &home, &options.producers, options.ports).await?;
            finished(progress, install::NATS.label);
            anyhow::Ok(nats)
        };
        // Not try_join: dropping a half-started server would leave it to the watcher.
        let (nats, postgres) = tokio::join!(nats, postgres);
        let (nats, postgres) = (nats?, postgres?);
        home.note_program(&install::NATS, &nats.found)?;
        home.note_program(&install::POSTGRES, &postgres.found)?;
        home.note_ports(&[
            (Part::Postgres.name(), postgres.port),
            (Part::Nats.name(), nats.port),
            (nats::MONITOR, nats.monitor_port),
        ])?;
        Ok(Self {
            nats,
            postgres,
            home,
        })
    }

    /// The directory of this bank.
    #[must_use]
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// For what is noted of this start.
    pub(crate) fn home_mut(&mut self) -> &mut Home {
        &mut self.home
    }

    /// Where clients of the broker connect: `nats://127.0.0.1:4222`.
    #[must_use]
    pub fn nats_url(&self) -> String {
        self.nats.url()
    }

    /// The NATS password of `auth`, `ledger`, `payments`, `audit`, of a further login such as `ledger-reader` or
    /// `payments-door`, or of a producer (account EDGE or DIRECT). Its inbox is `_INBOX_<user>`. Panics when there is no such user.
    #[must_use]
    pub fn nats_password(&self, user: &str) -> &str {
        let secrets = self.home.secrets();
        let service = user.split_once('-').map(|(service, _)| service);
        let password = secrets
            .nats
            .get(user)
            .or_else(|| secrets.producers.get(user))
            .or_else(|| secrets.nats.get(service?));
        password.unwrap_or_else(|| panic!("no NATS user {user}"))
    }

    /// The URL of the service's database for the role it runs as.
    #[must_use]
    pub fn database_url(&self, service: Service) -> String {
        self.postgres
            .url(&self.home, service.name(), service.name())
    }

    /// The URL of the service's database for the role that owns the tables.
    #[must_use]
    pub fn owner_database_url(&self, service: Service) -> String {
        let role = format!("{service}_owner");
        self.postgres.url(&self.home, &role, service.name())
    }

    /// The URL of the ledger's database for the role that may read its tables and nothing else.
    #[must_use]
    pub fn audit_database_url(&self) -> String {
        let ledger = Service::Ledger.name();
        self.postgres.url(&self.home, AUDITOR, ledger)
    }

    /// The URL of the service's database for the superuser: for tests that look behind the scenes.
    #[must_use]
    pub fn superuser_database_url(&self, service: Service) -> String {
        self.postgres.url(&self.home, "postgres", service.name())
    }

    /// Where PostgreSQL listens, without a login: `postgres://127.0.0.1:5433`.
    #[must_use]
    pub fn postgres_address(&self) -> String {
        format!("postgres://{}", loopback(self.postgres.port))
    }

    /// The environment for `quittance serve <service>`, listening on this port of loopback.
    #[must_use]
    pub fn service_env(&self, service: Service, port: u16) -> Vec<(String, String)> {
        let name = service.name();
        let mut environment = vec![
            ("QUITTANCE_LISTEN", loopback(port).to_string()),
            ("QUITTANCE_NATS_URL", self.nats_url()),
            ("QUITTANCE_NATS_USER", name.to_owned()),
            (
                "QUITTANCE_NATS_PASSWORD",
                self.nats_password(name).to_owned(),
            ),
            ("QUITTANCE_DATABASE_URL", self.database_url(service)),
        ];
        if service == Service::Auth {
            let key = self.home.secrets().key_encryption_key.clone();
            environment.push(("QUITTANCE_KEY_ENCRYPTION_KEY", key));
        }
        if service == Service::Ledger {
            let key = self.home.secrets().receipt_key.clone();
            environment.push(("QUITTANCE_RECEIPT_KEY", key));
            let media = self.home.media().display().to_string();
            environment.push(("QUITTANCE_MEDIA", media));
        }
        let exchange = &self.home.secrets().exchange;
        match service {
            Service::Auth => environment.extend([
                (
                    "QUITTANCE_EXCHANGE_SECRET_PAYMENTS",
                    exchange["payments"].clone(),
                ),
                (
                    "QUITTANCE_EXCHANGE_SECRET_LEDGER",
                    exchange["ledger"].clone(),
                ),
            ]),
            Service::Ledger | Service::Payments => environment.extend([
                ("QUITTANCE_EXCHANGE_SECRET", exchange[name].clone()),
                // A bank says where its auth is; without one nobody answers there.
                (
                    "QUITTANCE_AUTH_URL",
                    format!("http://{}", loopback(NOBODYS_PORT)),
                ),
            ]),
        }
        environment
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    }

    /// Brings the tables of a service up to the version of this program, by `quittance migrate`: the only one that is told
    /// the owner's password. However long it takes: a large bank may have millions of rows to carry over.
    pub async fn migrate(&self, program: &Path, service: Service) -> Result<()> {
        let name = service.name();
        let mut command = tokio::process::Command::new(program);
        command.args(["migrate", name]).env(
            "QUITTANCE_MIGRATION_DATABASE_URL",
            self.owner_database_url(service),
        );
        let failed = format!("the tables of {name} can't be migrated");
        run_to_the_end(&mut command, &failed).await
    }

    /// `kill -9` for PostgreSQL.
    pub fn kill_postgres(&mut self) {
        self.postgres.process.kill_hard();
    }

    /// Starts PostgreSQL again, on the same port and the same data, and waits until it answers.
    pub async fn restart_postgres(&mut self) -> Result<()> {
        self.postgres.restart().await
    }

    pub(crate) async fn restart_postgres_with(&mut self, settings: &[&str]) -> Result<()> {
        self.postgres.restart_with(settings).await
    }

    /// `kill -9` for NATS.
    pub fn kill_nats(&mut self) {
        self.nats.process.kill_hard();
    }

    /// Starts NATS again, on the same port and the same data, and waits until its streams are there.
    pub async fn restart_nats(&mut self) -> Result<()> {
        self.nats.restart().await
    }

    pub(crate) fn nats(&self) -> &Nats {
        &self.nats
    }

    pub(crate) fn postgres_process(&mut self) -> &mut Process {
        &mut self.postgres.process
    }

    pub(crate) fn nats_process(&mut self) -> &mut Process {
        &mut self.nats.process
    }

    /// Stops both in order; blocks until they are gone.
    pub fn stop(mut self) {
        self.nats.process.stop();
        self.postgres.process.stop();
    }
}

/// Finds or installs a server program, in seconds when it installs.
pub(crate) async fn find(
    wanted: &'static Wanted,
    kept: Kept,
    progress: &Progress,
) -> Result<Found> {
    let progress = progress.clone();
    tokio::task::spawn_blocking(move || install::find_or_install(wanted, &kept, &progress))
        .await
        .context("the search ended early")?
}
