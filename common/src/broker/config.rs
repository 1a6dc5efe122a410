//! Where the broker is, and how it is reached.

use std::path::PathBuf;
use std::time::Duration;

use async_nats::ServerAddr;

/// How long one request to the broker may take: it fsyncs before it answers, which takes under 10 ms on an idle disk.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// The JetStream domain under which every account imports the streams' API, see `nats/nats-server.conf`.
pub(super) const DOMAIN: &str = "quittance";

/// Where the broker is and who we are there.
#[derive(Clone, clap::Args)]
#[group(skip)]
pub struct Config {
    /// Address of the NATS server; `tls://…` for one that must speak TLS.
    #[arg(
        id = "nats_url",
        long = "nats-url",
        value_name = "URL",
        env = "QUITTANCE_NATS_URL",
        default_value = "nats://127.0.0.1:4222"
    )]
    pub url: String,
    /// User of the broker; each service has one, in an account of its own.
    #[arg(
        id = "nats_user",
        long = "nats-user",
        value_name = "USER",
        env = "QUITTANCE_NATS_USER"
    )]
    pub user: String,
    /// Its password.
    #[arg(
        id = "nats_password",
        long = "nats-password",
        value_name = "PASSWORD",
        env = "QUITTANCE_NATS_PASSWORD",
        hide_env_values = true
    )]
    pub password: String,
    /// File with the certificates (PEM) of who may vouch for the NATS server, instead of those that the machine trusts. With
    /// it, the server must speak TLS.
    #[arg(
        id = "nats_ca",
        long = "nats-ca",
        value_name = "FILE",
        env = "QUITTANCE_NATS_CA"
    )]
    pub ca: Option<PathBuf>,
}

impl Config {
    /// Whether a server without TLS is refused. Where it is not, a server that asks for TLS gets it all the same.
    pub(super) fn demands_tls(&self) -> bool {
        let address = self.url.parse::<ServerAddr>();
        self.ca.is_some() || address.is_ok_and(|address| address.tls_required())
    }

    /// The second login of a service that reads REQUESTS all the time: in that stream's account. It has the same password.
    pub(super) fn reader(&self) -> Self {
        Self {
            user: format!("{}-reader", self.user),
            ..self.clone()
        }
    }

    /// A further login of a service that answers producers: in their account. It has the same password.
    pub(super) fn door(&self) -> Self {
        Self {
            user: format!("{}-door", self.user),
            ..self.clone()
        }
    }

    /// A further login: in the account where services say that they are there. It has the same password.
    #[must_use]
    pub fn discovery(&self) -> Self {
        Self {
            user: format!("{}-discovery", self.user),
            ..self.clone()
        }
    }

    /// A further login: in the account where services publish what they log. It has the same password.
    #[must_use]
    pub fn logs(&self) -> Self {
        Self {
            user: format!("{}-logs", self.user),
            ..self.clone()
        }
    }

    /// The subject under which this user hears answers to whatever is called `name`.
    ///
    /// Nobody else may subscribe to `_INBOX_<user>.>`.
    pub(super) fn inbox(&self, name: &str) -> String {
        format!("_INBOX_{}.{name}", self.user)
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("url", &self.url)
            .field("user", &self.user)
            .field("ca", &self.ca)
            .finish_non_exhaustive()
    }
}
