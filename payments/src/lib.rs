//! Takes payments over HTTP and from producers at the broker, and shows what became of them.
//!
//! In: `POST /payments` and producers' publishes, each of which becomes a message in REQUESTS and nothing else; and both
//! logs, which [`projection`] reads into PostgreSQL. Out: `202` with the sequence of the request, and `GET /payments/{id}` from the projection.
//! The ledger is never called: this service meets it in the two streams, so either can be down without the other.
//!
//! Reading order: [`http`] and [`producers`] are the two entrances, [`idempotency`] and [`door`] the way of a payment
//! into the log,
//! [`projection`] the way back, by the rules in [`state`], and [`store`] all of the SQL.

mod state;

mod store;

mod projection;

mod door;
mod idempotency;
mod request;

mod app;
mod http;

pub use http::openapi;
mod producers;

pub mod checkup;

pub use door::Limits;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use common::broker;
use common::broker::{Answers, Publisher};
use common::http::caller::Callers;
use common::http::exchange::LogTokens;
use common::http::serve::serve_http;
use common::service;
use common::service::Stop;
use sqlx::migrate::Migrator;
use tokio::sync::{OnceCell, mpsc};
use tokio_util::sync::CancellationToken;

use crate::app::{App, ProjectedKeys};
use crate::door::Door;
use crate::idempotency::Recent;
use crate::projection::Projection;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// Between two tries to find the streams, which the ledger makes at its first start.
const STREAMS_RETRY_DELAY: Duration = Duration::from_millis(200);

/// What the payments service needs to know.
#[derive(Debug, Clone, clap::Args)]
pub struct Config {
    /// The same for every service.
    #[command(flatten)]
    pub service: service::Config,
    /// How callers' tokens become tokens for the log.
    #[command(flatten)]
    pub exchange: service::Exchange,
    /// How much each client may send.
    #[command(flatten)]
    pub limits: Limits,
}

/// Brings the tables of this service up to this version.
///
/// # Errors
/// When the database does not answer, or holds tables of a newer version.
pub async fn migrate(owner: &service::Owner) -> anyhow::Result<()> {
    service::migrate(owner, &MIGRATIONS).await
}

/// Runs the service until SIGTERM, SIGINT or, if so configured, the end of standard input.
///
/// # Errors
/// When it can't start, or when a log has a gap and the projection can't go on.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    let ending = service::stop_of_service(
        config.service.web.leave_for(),
        config.service.stop_with_parent,
    )?;
    serve_until(config, ending).await
}

/// Runs the service until it is `ending`.
///
/// It is ready once it has projected what was in the logs when it started.
///
/// # Errors
/// As [`serve`].
pub async fn serve_until(config: Config, ending: Stop) -> anyhow::Result<()> {
    let stop = ending.now.clone();
    let Config {
        service: config,
        exchange,
        limits,
    } = config;
    let pool = service::open_database(&config.database, "payments", &MIGRATIONS).await?;
    let client = broker::connect(&config.broker)
        .await
        .context("the broker does not let the service in")?;
    let jetstream = broker::jetstream(&client);
    let projection =
        Arc::new(Projection::open(pool.clone(), config.broker.clone(), jetstream.clone()).await?);
    let answers = Arc::new(OnceCell::new());
    let watched_pool = pool.clone();
    let readiness = service::Readiness::starting();

    let place = service::announce(
        "payments",
        config.web.listen,
        &config.web.discovery,
        Some(&config.broker),
        &readiness,
        &ending.leaving,
    );
    let publisher = Publisher::new(&config.broker);
    let (told, places) = mpsc::channel(producers::PLACES_MAX);
    let app = Arc::new(App {
        pool,
        door: Door::open(publisher.clone(), limits, told),
        jetstream: jetstream.clone(),
        projection: projection.clone(),
        answers: answers.clone(),
        recent: Recent::default(),
        log_tokens: LogTokens::new("payments", exchange).context("no client for auth")?,
        callers: Callers::new(ProjectedKeys(projection.clone())),
        stop: stop.clone(),
    });
    // The end of the projection, which is always an error, ends the HTTP side too.
    let work = async {
        // Before anybody waits for an answer.
        until_started(&answers, &config.broker, &jetstream, &stop).await;
        let caught_up = async {
            projection.catch_up_at_start().await;
            readiness.started();
            tracing::info!("has caught up with both logs");
            std::future::pending().await
        };
        let database = config.database.options()?;
        tokio::select! {
            projected = projection.run() => projected.context("the projection can't go on"),
            never = caught_up => never,
            never = service::watch_database(&readiness, &database, &watched_pool) => match never {},
            // Payments are taken and kept while the ledger is away.
            never = service::watch_broker(&readiness, &config.broker, |waiting| {
                readiness.late("the ledger", waiting.map(|waiting| waiting.sentence()));
                readiness.missing("the log", publisher.trouble());
            }) => match never {},
        }
    };
    let work = async {
        let outcome = stop.run_until_cancelled(work).await;
        stop.cancel();
        outcome.unwrap_or(Ok(()))
    };
    // A task of its own: what producers send must not hold up the others.
    let (entrance, broker, stop_entrance) = (app.clone(), config.broker.clone(), stop.clone());
    let producing = tokio::spawn(async move {
        producers::answer_producers(entrance, &broker, places, stop_entrance).await;
    });
    let serving = serve_http(&config.web, http::routes(app), readiness.clone(), ending);
    let serving = async {
        let outcome = serving.await;
        stop.cancel();
        outcome
    };
    let (worked, served, produced, placed) = tokio::join!(work, serving, producing, place);
    worked?;
    served?;
    placed.context("the place of the service broke")?;
    produced.context("the entrance of the producers broke")
}

/// Waits for the streams, then starts the one reader of answers that all waiting requests share.
async fn until_started(
    answers: &OnceCell<Answers>,
    config: &broker::Config,
    jetstream: &async_nats::jetstream::Context,
    stop: &CancellationToken,
) {
    let mut told = false;
    loop {
        let started = answers
            .get_or_try_init(|| Answers::start(config.clone(), jetstream.clone(), stop.clone()));
        let Err(error) = started.await else { return };
        if !std::mem::replace(&mut told, true) {
            tracing::warn!(%error, "waiting for the streams, which the ledger makes");
        }
        tokio::time::sleep(STREAMS_RETRY_DELAY).await;
    }
}
