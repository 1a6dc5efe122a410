//! The bank's ledger. Requests come in from the stream REQUESTS, in order; each is verified, decided and booked
//! double-entry in PostgreSQL; message N of SETTLEMENTS answers message N of REQUESTS.
//!
//! The [`core`] is pure: it verifies a message and decides it. The shell around it reads and writes: [`engine`] is the
//! loop, [`store`] all SQL, `http` what bank staff and the other services ask. [`audit`] runs the same core over the whole
//! log and compares. [`receipts`] prove single answers.

pub mod core;

pub mod engine;
pub mod store;

pub mod audit;
pub mod receipts;

mod busy;
mod files;
mod statement;

mod oversight;

pub mod checkup;

mod http;

pub use http::openapi;

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use common::broker;
use common::broker::{Answers, BATCH_MESSAGES_MAX, Publisher};
use common::http::ask::Asking;
use common::http::exchange::LogTokens;
use common::http::owners::Owners;
use common::http::serve::serve_http;
use common::money::Currency;
use common::service;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::core::rules::Rules;
use engine::crash::{CrashAt, CrashPoint};
use engine::{Engine, Health, Measures, Steps};
use files::Files;
use receipts::key::ReceiptKey;
use receipts::tree::Tree;

/// How to run the ledger.
#[derive(Debug, Clone, clap::Args)]
pub struct Config {
    /// What every service needs.
    #[command(flatten)]
    pub service: service::Config,
    /// How callers' tokens become tokens for the log.
    #[command(flatten)]
    pub exchange: service::Exchange,
    /// Copies of each stream: 1 on one server, 3 in a cluster.
    #[arg(long, env = "QUITTANCE_STREAM_REPLICAS", default_value_t = 1)]
    pub stream_replicas: usize,
    /// Most requests in one batch.
    #[arg(long, env = "QUITTANCE_BATCH_MAX", default_value_t = BATCH_MESSAGES_MAX, hide = true)]
    pub batch_max: usize,
    /// The rules that the log is raised to. Hold them back in an upgrade until everybody who reads settlements is new.
    #[arg(long, env = "QUITTANCE_RULES", default_value_t = Rules::NEWEST.number())]
    pub rules: u32,
    /// The bank has cash, nostro, fees and rounding accounts in these, opened when the ledger begins to lead: EUR,USD.
    #[arg(long, env = "QUITTANCE_CURRENCIES", value_delimiter = ',', value_parser = currency)]
    pub currencies: Vec<Currency>,
    /// 64 hex digits (32 bytes) from which the key is made that signs receipts; without it there are none.
    #[arg(long, env = "QUITTANCE_RECEIPT_KEY", hide_env_values = true)]
    pub receipt_key: Option<ReceiptKey>,
    /// The log's name in receipts, such as bank.example/ledger; choose it before the first one is handed out.
    #[arg(
        long,
        env = "QUITTANCE_RECEIPT_ORIGIN",
        default_value = "quittance.localhost/ledger"
    )]
    pub receipt_origin: String,
    /// Where files are kept that people ask for, such as statements; without it nobody can ask for one. The gateway hands
    /// them out from there.
    #[arg(long, env = "QUITTANCE_MEDIA")]
    pub media: Option<PathBuf>,
    /// For how many seconds such a file is kept.
    #[arg(
        long,
        env = "QUITTANCE_MEDIA_SECONDS",
        default_value_t = 86_400,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub media_seconds: u32,
    /// For experiments: lead although the broker or the database may lose what they acknowledge.
    #[arg(long, env = "QUITTANCE_UNSAFE_DURABILITY", action = clap::ArgAction::Set, default_value_t = false, num_args = 0..=1, default_missing_value = "true")]
    pub unsafe_durability: bool,
    /// For tests: where to die.
    #[arg(long, env = "QUITTANCE_CRASH_AT", hide = true)]
    pub crash_at: Option<CrashPoint>,
    /// For tests: at which visit to die there.
    #[arg(long, env = "QUITTANCE_CRASH_VISIT", default_value_t = 1, hide = true)]
    pub crash_visit: u32,
}

/// A currency in which accounts are opened.
fn currency(code: &str) -> Result<Currency, &'static str> {
    let currency = Currency::from_code(code).filter(|currency| !currency.is_withdrawn());
    currency.ok_or("no ISO 4217 code of money that is in use, such as EUR")
}

/// Brings the tables of this service up to this version.
///
/// # Errors
/// When the database does not answer, or holds tables of a newer version.
pub async fn migrate(owner: &service::Owner) -> anyhow::Result<()> {
    service::migrate(owner, &store::MIGRATIONS).await
}

/// Runs the ledger until it is told to stop.
///
/// # Errors
/// When it can't start, or when the log and the books contradict each other ([`engine::Halt`]).
#[expect(
    clippy::too_many_lines,
    reason = "what a ledger is made of, and in which order, reads best in one place"
)]
pub async fn serve(config: Config) -> anyhow::Result<()> {
    let ending = service::stop_of_service(
        config.service.web.leave_for(),
        config.service.stop_with_parent,
    )?;
    let stop = ending.now.clone();
    let making = making(&config)?;
    let receipt_key = config.receipt_key.as_ref();
    let receipt_key = receipt_key
        .map(|key| key.read(&config.receipt_origin))
        .transpose()?;
    let pool =
        service::open_database(&config.service.database, "ledger", &store::MIGRATIONS).await?;
    let client = broker::connect(&config.service.broker)
        .await
        .context("the broker does not let the ledger in")?;
    let jetstream = broker::jetstream(&client);
    broker::ensure_streams(&jetstream, config.stream_replicas)
        .await
        .context("the streams can't be made")?;
    let answers = Answers::start(
        config.service.broker.clone(),
        jetstream.clone(),
        stop.clone(),
    )
    .await?;
    let publisher = Publisher::new(&config.service.broker);
    let steps = Arc::new(Steps::default());
    let tree = Tree::new(pool.clone(), receipt_key);
    let engine = Arc::new(Engine {
        broker: config.service.broker.clone(),
        publisher: publisher.clone(),
        jetstream: jetstream.clone(),
        pool: pool.clone(),
        database: config.service.database.options()?,
        batch_max: config.batch_max.clamp(1, BATCH_MESSAGES_MAX),
        rules: Rules::from_number(config.rules).context("--rules: no such version")?,
        crash: CrashAt::new(config.crash_at, config.crash_visit),
        currencies: config.currencies,
        stream_replicas: config.stream_replicas,
        unsafe_durability: config.unsafe_durability,
        steps: steps.clone(),
        measures: Measures::default(),
        tree: tree.clone(),
        health: watch::Sender::new(Health::Waiting),
    });
    let mut health = engine.health.subscribe();
    let tracker = TaskTracker::new();
    let deciding = tracker.spawn(engine.run(stop.clone()));
    // A ledger that waits for its turn to lead serves HTTP all the same, so it is ready too, as long as one decides.
    let readiness = service::Readiness::starting();
    readiness.started();
    say_if_unsafe(&readiness, config.unsafe_durability);
    let (database, config_of_broker) = (config.service.database.options()?, config.service.broker);
    let web = &config.service.web;
    let place = service::announce(
        "ledger",
        web.listen,
        &web.discovery,
        Some(&config_of_broker),
        &readiness,
        &ending.leaving,
    );
    let watched_publisher = publisher.clone();
    let (watched_pool, watched_jetstream) = (pool.clone(), jetstream.clone());
    let owners = Owners::new(&config.exchange.auth_url).context("QUITTANCE_AUTH_URL")?;
    let log_tokens = LogTokens::new("ledger", config.exchange).context("no client for auth")?;
    let replaying = http::Replaying::new(
        config_of_broker.clone(),
        jetstream.clone(),
        database.clone(),
        stop.clone(),
    );
    let sweeping = making.files.clone();
    let routes = http::routes(http::App::new(
        Asking::new(publisher, answers),
        pool,
        log_tokens,
        owners,
        jetstream,
        steps,
        http::Beside {
            replaying,
            tree,
            making,
        },
    ));
    let (web, served_readiness) = (config.service.web, readiness.clone());
    let serving =
        tracker.spawn(async move { serve_http(&web, routes, served_readiness, ending).await });
    let watching = async move {
        let failing = async {
            while health.changed().await.is_ok() {
                let trouble = health.borrow_and_update().trouble();
                readiness.missing("the ledger", trouble);
            }
            // The engine has ended, and so will this service.
            std::future::pending::<Infallible>().await
        };
        tokio::select! {
            never = failing => never,
            never = sweeping.sweep() => match never {},
            never = oversight::look(&watched_pool, &watched_jetstream) => match never {},
            never = service::watch_database(&readiness, &database, &watched_pool) => match never {},
            never = service::watch_broker(&readiness, &config_of_broker, |waiting| {
                readiness.missing("the leader", waiting.map(|waiting| waiting.sentence()));
                readiness.missing("the log", watched_publisher.trouble());
            }) => match never {},
        }
    };
    tracker.close();
    let decided = tokio::select! {
        decided = deciding => decided?.map_err(anyhow::Error::from),
        served = serving => served?,
        never = watching => match never {},
    };
    stop.cancel();
    tracker.wait().await;
    place.await?;
    decided
}

/// What files are made with.
fn making(config: &Config) -> anyhow::Result<http::Making> {
    let crash = CrashAt::new(config.crash_at, config.crash_visit);
    let files = Files::open(config.media.clone(), config.media_seconds, crash);
    Ok(http::Making {
        files: files.context("QUITTANCE_MEDIA: the directory can't be made")?,
        broker: config.service.broker.clone(),
    })
}

/// Nobody shall take an experiment for a bank.
fn say_if_unsafe(readiness: &service::Readiness, is_unsafe: bool) {
    if !is_unsafe {
        return;
    }
    tracing::error!(
        "EXPERIMENT: QUITTANCE_UNSAFE_DURABILITY is set, and acknowledged payments may be lost"
    );
    let trouble = "is not demanded: an experiment, whose acknowledged payments may be lost";
    readiness.late("durability", Some(trouble.to_owned()));
}
