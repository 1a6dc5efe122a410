//! Who may act: people log in with a password, programs with a secret, and both get a token that the ledger verifies by
//! itself.
//!
//! The public half of the signing key goes into the log of requests before the first token is issued ([`log`]), so
//! that a reader of the log knows the key by then and never has to ask this service. Private keys never leave this
//! process unencrypted ([`keys`]). The SimpleJWT endpoints answer byte for byte as the system before this one did
//! ([`http`]).

mod http;

pub mod clients;
pub mod invitations;
pub mod people;

mod lockout;
mod second_factor;

mod codes;
mod totp;

mod keys;
mod passwords;
mod throttle;
pub mod tokens;

mod log;
mod logs;

mod again;
mod app;
mod own_keys;
mod store;

pub mod checkup;

use std::sync::Arc;

use anyhow::Context as _;
use chrono::TimeDelta;
use common::http::caller::Callers;
use common::http::serve::serve_http;
use common::service::{self, Secret};
use tokio::sync::watch;

use app::Auth;
pub use http::openapi;
use keys::keeper::Keeper;
pub use keys::{KeyEncryptionKeys, SigningKey, public_jwk};
use own_keys::OwnKeys;
pub use throttle::Network;

/// What auth needs to know. Each option can also be given in the environment.
#[derive(Debug, Clone, clap::Args)]
pub struct Config {
    /// What every service needs.
    #[command(flatten)]
    pub service: service::Config,
    /// 64 hex digits (32 bytes) that private signing keys and second factors are sealed with in the database;
    /// several with commas: the first
    /// seals, the others open what they sealed before.
    #[arg(long, env = "QUITTANCE_KEY_ENCRYPTION_KEY", hide_env_values = true)]
    pub key_encryption_key: KeyEncryptionKeys,
    /// Days for which a key signs; its successor takes over by itself.
    #[arg(
        long,
        value_name = "DAYS",
        env = "QUITTANCE_KEY_ROTATION_DAYS",
        default_value = "30",
        value_parser = clap::value_parser!(u16).range(1..=3650)
    )]
    pub key_rotation_days: u16,
    /// The `iss` of every token.
    #[arg(
        long,
        env = "QUITTANCE_ISSUER",
        default_value = "https://quittance.localhost/auth"
    )]
    pub issuer: String,
    /// Who may exchange tokens.
    #[command(flatten)]
    pub exchange_secrets: ExchangeSecrets,
    /// Whether customers may make themselves: anybody who reaches the service, with any address that nobody has.
    #[arg(
        long,
        value_enum,
        value_name = "WHETHER",
        env = "QUITTANCE_REGISTRATION",
        default_value = "off"
    )]
    pub registration: Registration,
    /// Whether staff must have a second factor. Those who have none may do what customers may, until they turn one on.
    #[arg(
        long,
        value_enum,
        value_name = "WHETHER",
        env = "QUITTANCE_STAFF_SECOND_FACTOR",
        default_value = "optional"
    )]
    pub staff_second_factor: StaffSecondFactor,
    /// Proxies that say in X-Forwarded-For which client a request comes from, such as `10.0.0.0/8`; several with commas.
    #[arg(
        long = "trusted-proxies",
        value_name = "NETWORKS",
        env = "QUITTANCE_TRUSTED_PROXIES",
        value_delimiter = ',',
        default_value = "127.0.0.0/8,::1"
    )]
    pub trusted_proxies: Vec<Network>,
}

/// Whether customers may make themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Registration {
    /// Administrators invite people, or make them.
    Off,
    /// Whoever wants to be a customer is one.
    Open,
}

/// Whether staff must have a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum StaffSecondFactor {
    /// Everybody decides for themselves.
    Optional,
    /// Without one, staff may do what customers may.
    Required,
}

/// What payments and the ledger prove themselves with when they exchange their callers' tokens.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct ExchangeSecrets {
    /// The exchange secret of payments; without it payments gets no tokens for the log.
    #[arg(
        long,
        env = "QUITTANCE_EXCHANGE_SECRET_PAYMENTS",
        hide_env_values = true
    )]
    pub payments_secret: Option<Secret>,
    /// The exchange secret of the ledger; without it the ledger gets no tokens for the log.
    #[arg(long, env = "QUITTANCE_EXCHANGE_SECRET_LEDGER", hide_env_values = true)]
    pub ledger_secret: Option<Secret>,
}

impl ExchangeSecrets {
    fn of(&self, service: &str) -> Option<&Secret> {
        match service {
            "payments" => self.payments_secret.as_ref(),
            "ledger" => self.ledger_secret.as_ref(),
            _ => None,
        }
    }
}

/// The tables, and the words that explain them.
static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// Brings the tables of this service up to this version.
///
/// # Errors
/// When the database does not answer, or holds tables of a newer version.
pub async fn migrate(owner: &service::Owner) -> anyhow::Result<()> {
    service::migrate(owner, &MIGRATIONS).await
}

/// Runs the service until it is told to stop.
///
/// # Errors
/// When it can't start, or when the ledger refuses the signing key: the text says what to do.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    let ending = service::stop_of_service(
        config.service.web.leave_for(),
        config.service.stop_with_parent,
    )?;
    let stop = ending.now.clone();
    let pool = service::open_database(&config.service.database, "auth", &MIGRATIONS).await?;
    let keys = Keeper::open(
        &pool,
        &config.key_encryption_key,
        &config.issuer,
        TimeDelta::days(i64::from(config.key_rotation_days)),
    )
    .await?;
    let (announced, ready) = watch::channel(false);
    let callers = Callers::new(OwnKeys::new(pool.clone(), config.issuer.clone()));
    let auth = Arc::new(Auth {
        pool,
        callers,
        logs: logs::LogReader::new(&config.service.broker),
        exchange_secrets: config.exchange_secrets.clone(),
        keys,
        passwords: passwords::Passwords::new()
            .await
            .context("no password can be hashed")?,
        revoked: watch::Sender::new(()),
        throttle: throttle::Throttle::open(config.service.database.options()?).await?,
        is_registration_open: config.registration == Registration::Open,
        staff_second_factor: config.staff_second_factor,
        trusted_proxies: config.trusted_proxies,
        ready,
    });
    let readiness = service::Readiness::starting();
    let database = config.service.database.options()?;
    let issuing = async {
        // The receiver lives as long as the service.
        drop(announced.subscribe().wait_for(|announced| *announced).await);
        readiness.started();
        std::future::pending().await
    };
    let web = &config.service.web;
    let announced_place = service::announce(
        "auth",
        web.listen,
        &web.discovery,
        Some(&config.service.broker),
        &readiness,
        &ending.leaving,
    );
    // Side by side in one task: whoever drops this future stops all.
    let ended = tokio::select! {
        served = serve_http(web, http::routes(auth.clone()), readiness.clone(), ending) => served,
        failed = log::run(&auth, &config.service.broker, &announced, &stop) => failed.map(|never| match never {}),
        never = issuing => never,
        never = again::ever_again("keys have to wait", async || keys::keeper::watch(&auth.keys, &auth.pool, &auth.callers).await) => match never {},
        never = again::ever_again("lines of the log have to wait", async || auth.logs.keep().await) => match never {},
        never = auth.throttle.noted.run(&auth.pool, service::now) => never,
        never = auth.throttle.forget(service::now) => never,
        never = service::watch_database(&readiness, &database, &auth.pool) => match never {},
        never = service::watch_broker(&readiness, &config.service.broker, |_| {}) => match never {},
    };
    stop.cancel();
    announced_place
        .await
        .context("the place of the service broke")?;
    // What was counted and is not due yet would be lost.
    if let Err(error) = auth
        .throttle
        .noted
        .write(&auth.pool, service::now(), true)
        .await
    {
        tracing::error!(%error, "failed logins were not written");
    }
    ended
}
