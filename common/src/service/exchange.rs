//! What a service needs to exchange its callers' tokens at auth.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// What a service needs to exchange its callers' tokens at auth.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct Exchange {
    /// Where auth answers, such as `http://127.0.0.1:8081`.
    #[arg(long, env = "QUITTANCE_AUTH_URL")]
    pub auth_url: String,
    /// What this service proves to auth with that it is itself; auth knows it by the name of the service.
    #[arg(long, env = "QUITTANCE_EXCHANGE_SECRET", hide_env_values = true)]
    pub exchange_secret: Secret,
}

/// A text that is not shown.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}
