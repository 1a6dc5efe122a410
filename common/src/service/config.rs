//! What every service needs to know when it starts.

use std::net::SocketAddr;
use std::time::Duration;

use axum::http::HeaderValue;

use super::database::Database;
use super::discovery::Discovery;
use crate::broker;

/// What every service needs to know. Each option can also be given in the environment.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct Config {
    /// Its HTTP side.
    #[command(flatten)]
    pub web: Web,
    /// The broker.
    #[command(flatten)]
    pub broker: broker::Config,
    /// The databases.
    #[command(flatten)]
    pub database: Database,
    /// Stop when standard input ends: whoever started this has died.
    #[arg(long, env = "QUITTANCE_STOP_WITH_PARENT", action = clap::ArgAction::Set, default_value_t = false, num_args = 0..=1, default_missing_value = "true")]
    pub stop_with_parent: bool,
}

/// The HTTP side of a service.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct Web {
    /// Address to serve HTTP on.
    #[arg(long, env = "QUITTANCE_LISTEN")]
    pub listen: SocketAddr,
    /// Web pages of these origins may call the service, such as `https://shop.example`; several with commas.
    #[arg(
        long = "allowed-origins",
        value_name = "ORIGINS",
        env = "QUITTANCE_ALLOWED_ORIGINS",
        value_delimiter = ',',
        value_parser = origin
    )]
    pub allowed_origins: Vec<HeaderValue>,
    /// Seconds for which it goes on answering after SIGTERM, while others learn that it leaves: more than a gateway takes to look
    /// again, and than it keeps a connection that is not used.
    #[arg(
        long,
        value_name = "SECONDS",
        env = "QUITTANCE_LEAVE_SECONDS",
        default_value_t = 0
    )]
    pub leave_seconds: u64,
    /// How others find it.
    #[command(flatten)]
    pub discovery: Discovery,
}

impl Web {
    /// How long it leaves before it stops.
    #[must_use]
    pub const fn leave_for(&self) -> Duration {
        Duration::from_secs(self.leave_seconds)
    }
}

/// A scheme, a host and perhaps a port, as browsers send it. `*` would let every page on the web in, and is none.
fn origin(text: &str) -> Result<HeaderValue, String> {
    let is_origin = text.split_once("://").is_some_and(|(scheme, host)| {
        matches!(scheme, "http" | "https")
            && !host.is_empty()
            && host
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-:[]".contains(&b))
    });
    let value = HeaderValue::from_str(text).ok().filter(|_| is_origin);
    value.ok_or_else(|| {
        "an origin is like https://shop.example, in lower case, without a path".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_browsers_send() {
        for good in [
            "https://shop.example",
            "http://localhost:3000",
            "http://[::1]:80",
        ] {
            assert_eq!(origin(good).unwrap(), good);
        }
        for bad in [
            "*",
            "null",
            "shop.example",
            "https://",
            "https://a/",
            "https://A",
            "ftp://a",
            "https://a b",
        ] {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }
}
