//! The client library's connection, for all that is not storing or reading messages.

use std::time::Duration;

use async_nats::jetstream;
use async_nats::{Client, ConnectError, ConnectErrorKind, ConnectOptions, Event};

use super::config::{Config, DOMAIN, REQUEST_TIMEOUT};
use super::tls;

/// Connects and stays connected: from then on the client reconnects by itself, for ever.
///
/// Our inboxes are `_INBOX_<user>.>`, which nobody else may subscribe to.
///
/// # Errors
/// When the first connection fails: the address, the user or the password is wrong, nothing listens, or the server does not
/// prove who it is.
pub async fn connect(config: &Config) -> Result<Client, ConnectError> {
    let options = options(config).event_callback(|event| async move {
        match event {
            Event::Connected => tracing::info!("connected to the broker"),
            Event::Disconnected => tracing::warn!("lost the broker, reconnecting"),
            other => tracing::warn!(event = %other, "the broker says"),
        }
    });
    connect_with(config, options).await
}

/// As [`connect`], without a line in the log when the connection is lost or made again.
pub(crate) async fn connect_quietly(config: &Config) -> Result<Client, ConnectError> {
    connect_with(config, options(config)).await
}

async fn connect_with(config: &Config, options: ConnectOptions) -> Result<Client, ConnectError> {
    let options = if config.demands_tls() {
        let trust = tls::client_config(config.ca.clone())
            .await
            .map_err(|error| ConnectError::with_source(ConnectErrorKind::Tls, error))?;
        options.require_tls(true).tls_client_config(trust)
    } else {
        // The library trusts whom the machine trusts, as we do, if the server asks for TLS.
        options
    };
    options.connect(&config.url).await
}

fn options(config: &Config) -> ConnectOptions {
    ConnectOptions::with_user_and_password(config.user.clone(), config.password.clone())
        .name(&config.user)
        .custom_inbox_prefix(format!("_INBOX_{}", config.user))
        .request_timeout(Some(REQUEST_TIMEOUT))
        .max_reconnects(None)
        // A broker that restarts is back within a second; waiting longer than that between tries only adds to the outage.
        .reconnect_delay_callback(|tries| {
            Duration::from_millis(100).saturating_mul(u32::try_from(tries.min(10)).unwrap_or(10))
        })
}

/// The JetStream side of a client: of the streams that its account imports.
#[must_use]
pub fn jetstream(client: &Client) -> jetstream::Context {
    jetstream::with_domain(client.clone(), DOMAIN)
}
