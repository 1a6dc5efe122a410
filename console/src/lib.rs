//! The pages under `/admin/`, for the people who run the bank. They are made here, on the server, from what the public HTTP
//! APIs say to the operator's own token: the console knows nothing of its own and may do nothing that its user may not.
//!
//! [`operator`] says who asks, [`page`] is the frame of every page, and [`pages`] has one file per page. What is shown live
//! comes over [`live`]. Every page can be read without JavaScript.

mod assets;
mod guard;
mod prefix;
mod session;

mod app;
mod instances;

mod operator;

mod fields;
mod page;
mod show;

mod failure;
mod live;
mod pages;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use client::{Addresses, Client};
use common::broker;
use common::http::serve::serve_http;
use common::service::{self, Readiness, Secret, Web};

use app::App;
use instances::Instances;

pub use assets::write_to as write_assets;

/// How to run the console.
#[derive(Debug, Clone, clap::Args)]
pub struct Config {
    /// Its HTTP side.
    #[command(flatten)]
    pub web: Web,
    /// Where auth answers, such as `http://127.0.0.1:8081`.
    #[arg(long, value_name = "URL", env = "QUITTANCE_AUTH_URL")]
    pub auth_url: String,
    /// Where the ledger answers.
    #[arg(long, value_name = "URL", env = "QUITTANCE_LEDGER_URL")]
    pub ledger_url: String,
    /// Where payments answers.
    #[arg(long, value_name = "URL", env = "QUITTANCE_PAYMENTS_URL")]
    pub payments_url: String,
    /// Address of the NATS server, where services say that they are there. Without it the console knows the addresses above.
    #[arg(
        long,
        value_name = "URL",
        env = "QUITTANCE_NATS_URL",
        requires = "nats_password"
    )]
    pub nats_url: Option<String>,
    /// The password of the user `console` there.
    #[arg(
        long,
        value_name = "PASSWORD",
        env = "QUITTANCE_NATS_PASSWORD",
        hide_env_values = true
    )]
    pub nats_password: Option<Secret>,
    /// File with the certificates (PEM) of who may vouch for the NATS server.
    #[arg(long, value_name = "FILE", env = "QUITTANCE_NATS_CA")]
    pub nats_ca: Option<PathBuf>,
    /// Certificates (PEM) whose end is told to whoever watches, such as the gateway's; several with commas.
    #[arg(
        long,
        value_name = "FILES",
        env = "QUITTANCE_CERTIFICATES",
        value_delimiter = ','
    )]
    pub certificates: Vec<PathBuf>,
    /// Stop when standard input ends: whoever started this has died.
    #[arg(long, env = "QUITTANCE_STOP_WITH_PARENT", action = clap::ArgAction::Set, default_value_t = false, num_args = 0..=1, default_missing_value = "true")]
    pub stop_with_parent: bool,
}

impl Config {
    /// Who the console is at the broker, if it has one.
    #[must_use]
    pub fn broker(&self) -> Option<broker::Config> {
        let (url, password) = self.nats_url.clone().zip(self.nats_password.as_ref())?;
        Some(broker::Config {
            url,
            user: "console".to_owned(),
            password: password.expose().to_owned(),
            ca: self.nats_ca.clone(),
        })
    }
}

/// Runs the console until it is told to stop. It needs no database, and starts while the services are away.
///
/// # Errors
/// When the address can't be listened on.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    let ending = service::stop_of_service(config.web.leave_for(), config.stop_with_parent)?;
    let stop = ending.now.clone();
    let broker = config.broker();
    let client = Client::new(Addresses {
        auth: config.auth_url,
        ledger: config.ledger_url,
        payments: config.payments_url,
    });
    let readiness = Readiness::starting();
    readiness.started();
    let place = service::announce(
        "console",
        config.web.listen,
        &config.web.discovery,
        broker.as_ref(),
        &readiness,
        &ending.leaving,
    );
    let instances = Instances::new(broker.as_ref().map(broker::Config::discovery));
    let app = Arc::new(App::new(client, instances, stop.clone()));
    let served = tokio::select! {
        served = serve_http(&config.web, pages::routes(app), readiness, ending) => served,
        never = service::watch_certificates(&config.certificates) => match never {},
    };
    stop.cancel();
    place.await.context("the place of the console broke")?;
    served.context("the console can't go on")
}
