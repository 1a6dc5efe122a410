//! The client library's connection, for all that is not storing or reading messages.

use std::time::Duration;

use async_nats::jetstream;
use async_nats::{Client, ConnectOptions, Event};

use super::config::{Config, DOMAIN, REQUEST_TIMEOUT};

/// Connects and stays connected: from then on the client reconnects by itself, for ever.
///
/// Our inboxes are `_INBOX_<user>.>`, which nobody else may subscribe to.
///
/// # Errors
/// When the first connection fails: the address, the user or the password is wrong, or nothing listens.
pub async fn connect(config: &Config) -> Result<Client, async_nats::ConnectError> {
    ConnectOptions::with_user_and_password(config.user.clone(), config.password.clone())
        .name(&config.user)
        .custom_inbox_prefix(format!("_INBOX_{}", config.user))
        .request_timeout(Some(REQUEST_TIMEOUT))
        .max_reconnects(None)
        // A broker that restarts is back within a second; waiting longer than that between tries only adds to the outage.
        .reconnect_delay_callback(|tries| {
            Duration::from_millis(100).saturating_mul(u32::try_from(tries.min(10)).unwrap_or(10))
        })
        .event_callback(|event| async move {
            match event {
                Event::Connected => tracing::info!("connected to the broker"),
                Event::Disconnected => tracing::warn!("lost the broker, reconnecting"),
                other => tracing::warn!(event = %other, "the broker says"),
            }
        })
        .connect(&config.url)
        .await
}

/// The JetStream side of a client: of the streams that its account imports.
#[must_use]
pub fn jetstream(client: &Client) -> jetstream::Context {
    jetstream::with_domain(client.clone(), DOMAIN)
}
