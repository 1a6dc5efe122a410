//! The bank that runs in a home: where it is and how to log in to its servers.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use client::{Addresses, Client};
use common::broker;
use local::{Demo, Home, Secrets, Service, Status};
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};

use crate::failure::{Exit, Hinted as _};

/// The user of the broker who may read both streams, and the role of the database that may read the ledger's tables.
const AUDITOR: &str = "audit";

/// A running bank.
pub(crate) struct Running {
    pub(crate) home: PathBuf,
    pub(crate) status: Status,
}

/// A client of a bank's services.
pub(crate) fn client_of(status: &Status) -> Client {
    Client::new(Addresses {
        auth: status.auth.clone(),
        ledger: status.ledger.clone(),
        payments: status.payments.clone(),
    })
}

impl Running {
    /// The bank that runs in this home.
    pub(crate) fn find(home: &Path) -> Result<Self> {
        let status = Status::read(home)?;
        let status = status
            .ok_or_else(|| anyhow!("no bank runs in {}", home.display()))
            .exit(Exit::Unreachable)
            .hint(format!("start one with `{} up`", invocation(home)))?;
        Ok(Self {
            home: home.to_owned(),
            status,
        })
    }

    /// A client of its services.
    pub(crate) fn client(&self) -> Client {
        client_of(&self.status)
    }

    /// The people and programs of the demo bank.
    pub(crate) fn demo(&self) -> Result<&Demo> {
        self.status
            .demo
            .as_ref()
            .context("this bank has no demo data")
    }

    /// Connects to the broker as the user who may read both streams and store nothing in them.
    pub(crate) async fn auditor(&self) -> Result<async_nats::Client> {
        self.connected(&self.auditor_config()?).await
    }

    /// The auditor's login at the broker.
    pub(crate) fn auditor_config(&self) -> Result<broker::Config> {
        self.broker_login(AUDITOR)
    }

    /// A login at the broker.
    pub(crate) fn broker_login(&self, user: &str) -> Result<broker::Config> {
        let secrets = Secrets::read(&self.home)?;
        let password = secrets.nats_password(user);
        let password = password.with_context(|| format!("the broker has no login {user}"))?;
        Ok(broker::Config {
            url: self.status.nats.clone(),
            user: user.to_owned(),
            password: password.to_owned(),
            ca: None,
        })
    }

    /// Connects to the broker as whoever may ask which services are there.
    pub(crate) async fn discoverer(&self) -> Result<async_nats::Client> {
        self.connected(&self.auditor_config()?.discovery()).await
    }

    async fn connected(&self, config: &broker::Config) -> Result<async_nats::Client> {
        broker::connect(config)
            .await
            .with_context(|| format!("the broker at {} does not let us in", config.url))
            .exit(Exit::Unreachable)
    }

    /// The URL of the ledger's database with the login that may only read.
    pub(crate) fn books_url(&self) -> Result<String> {
        self.database_url(AUDITOR, Service::Ledger)
    }

    /// The URL of auth's database with the login of the service.
    pub(crate) fn people_url(&self) -> Result<String> {
        self.database_url(Service::Auth.name(), Service::Auth)
    }

    /// The URL of a service's database for one of its roles.
    pub(crate) fn database_url(&self, user: &str, service: Service) -> Result<String> {
        let secrets = Secrets::read(&self.home)?;
        let password = secrets.postgres_password(user);
        let password = password.with_context(|| format!("the database has no login {user}"))?;
        let (scheme, address) =
            (self.status.postgres.split_once("://")).context("the database's address is no URL")?;
        let database = service.name();
        // The server has no TLS.
        Ok(format!(
            "{scheme}://{user}:{password}@{address}/{database}?sslmode=disable"
        ))
    }

    /// Connects to the ledger's database in the role that may only read.
    pub(crate) async fn books(&self) -> Result<PgConnection> {
        let options: PgConnectOptions = self.books_url()?.parse()?;
        let connected = options.connect().await.with_context(|| {
            format!(
                "the database at {} does not let us in",
                self.status.postgres
            )
        });
        connected.exit(Exit::Unreachable)
    }
}

/// How this program can be called from here for the bank in `home`: `quittance` when that is found, else by its path.
pub(crate) fn invocation(home: &Path) -> String {
    let program = program();
    let is_default = Home::default_path().is_ok_and(|default| default == home);
    if is_default {
        program
    } else {
        format!("{program} --home {}", quoted(&home.display().to_string()))
    }
}

/// How this program can be called from here.
pub(crate) fn program() -> String {
    path_of_program().unwrap_or_else(|| "quittance".to_owned())
}

fn path_of_program() -> Option<String> {
    let exe = std::env::current_exe().ok()?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|directory| directory.join("quittance"))
        .find(|candidate| candidate.is_file());
    if found.is_some_and(|found| found.canonicalize().is_ok_and(|found| found == exe)) {
        return Some("quittance".to_owned());
    }
    let here = std::env::current_dir().ok()?;
    let shown = match exe.strip_prefix(&here) {
        Ok(inside) if inside.components().count() > 1 => inside,
        Ok(_) | Err(_) => &exe,
    };
    Some(quoted(&shown.display().to_string()))
}

/// The text as one word of a shell.
pub(crate) fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_for_the_shell_is_quoted_where_it_must_be() {
        assert_eq!(quoted("/var/lib/quittance"), "/var/lib/quittance");
        assert_eq!(quoted("my bank"), "'my bank'");
        assert_eq!(quoted("ada's"), r"'ada'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
