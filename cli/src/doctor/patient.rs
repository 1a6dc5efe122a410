//! The bank that is looked at: how its servers are asked, each time with a limit.

use std::time::Duration;

use anyhow::{Result, anyhow};
use async_nats::jetstream;
use chrono::{DateTime, TimeDelta, Utc};
use common::broker as nats;
use common::service::now;
use local::Service;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::running::Running;

/// Whoever is well answers within milliseconds; a busy machine may take longer.
pub(super) const LIMIT: Duration = Duration::from_secs(4);

/// The clock of this machine, which a test may set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock(TimeDelta);

impl Clock {
    pub(super) fn set_to(time: Option<DateTime<Utc>>) -> Self {
        Self(time.map_or_else(TimeDelta::zero, |time| time - now()))
    }

    pub(super) fn now(self) -> DateTime<Utc> {
        now() + self.0
    }
}

/// A bank, and whether its two servers let us in.
pub(super) struct Patient {
    pub(super) running: Running,
    pub(super) clock: Clock,
    /// A connection as the ledger, to which alone the broker says how it stores; or why there is none.
    pub(super) nats: Result<async_nats::Client, String>,
    /// Why no database is asked.
    pub(super) database_trouble: Option<String>,
}

impl Patient {
    pub(super) async fn of(running: Running, clock: Clock) -> Self {
        let nats = async {
            let config = running.broker_login(Service::Ledger.name())?;
            Ok(nats::connect(&config).await?)
        };
        let databases = async {
            for service in Service::ALL {
                let connection = options(&running, service)?.connect().await?;
                connection.close().await?;
            }
            Ok(())
        };
        let (nats, databases) = tokio::join!(limited(LIMIT, nats), limited(LIMIT, databases));
        let database_trouble = databases.err();
        Self {
            running,
            clock,
            nats,
            database_trouble,
        }
    }

    /// The streams; or why they can't be asked.
    pub(super) fn streams(&self) -> Result<jetstream::Context, String> {
        match &self.nats {
            Ok(client) => Ok(nats::jetstream(client)),
            Err(_) => Err("NATS can't be asked".to_owned()),
        }
    }

    /// Asks a database on a connection of its own, in the role of its service: a role may have settings of its own.
    pub(super) async fn ask<T>(
        &self,
        service: Service,
        limit: Duration,
        ask: impl AsyncFnOnce(&mut PgConnection) -> Result<T>,
    ) -> Result<T, String> {
        if self.database_trouble.is_some() {
            return Err("PostgreSQL can't be asked".to_owned());
        }
        let asking = async {
            let mut connection = options(&self.running, service)?.connect().await?;
            let answer = ask(&mut connection).await?;
            connection.close().await.ok();
            Ok(answer)
        };
        limited(limit, asking).await
    }
}

fn options(running: &Running, service: Service) -> Result<PgConnectOptions> {
    let url = running.database_url(service.name(), service)?;
    // What the parser says may quote what it has read.
    let options: Result<PgConnectOptions, _> = url.parse();
    options.map_err(|_| anyhow!("the database's address is no URL"))
}

/// The answer, or why there is none: a sentence about whoever was asked, without its subject.
pub(super) async fn limited<T>(
    limit: Duration,
    asking: impl Future<Output = Result<T>>,
) -> Result<T, String> {
    match tokio::time::timeout(limit, asking).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(error.root_cause().to_string()),
        Err(_) => Err(format!("does not answer within {} s", limit.as_secs())),
    }
}
