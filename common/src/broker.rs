//! Everything that is said to NATS: connecting, the two streams, publishing, and reading them in order.
//!
//! A reader trusts neither broker-side acks nor the client's ordered consumer but the sequence: [`Reader`] hands out
//! messages `n, n+1, n+2 …` and nothing else. A [`Publisher`] stores many messages or none with one fsync, or one by one.
//! [`Answers`] waits for the answer to a request.

mod answers;
mod connection;
mod feed;
mod headers;
mod publisher;
mod reader;
mod sender;
mod stored;

pub use answers::Answers;
pub use headers::{HeaderLines, Headers};
pub use publisher::{ALONE_MAX, BATCH_MESSAGES_MAX, Outgoing, PublishError, Publisher};
pub use reader::{ReadError, Reader};
pub use stored::{Stored, get};

use std::time::Duration;

use async_nats::jetstream::{self, context, stream};
use async_nats::{Client, ConnectOptions, Event};

use crate::request::BODY_BYTES_MAX;
use crate::token::TOKEN_BYTES_MAX;
use crate::wire::{REQUESTS, SETTLEMENTS};

/// How long one request to the broker may take: it fsyncs before it answers, which takes under 10 ms on an idle disk.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// The JetStream domain under which every account imports the streams' API, see `nats/nats-server.conf`.
const DOMAIN: &str = "quittance";
/// Largest message that REQUESTS takes: a body and a token at their limits, and room for the other headers.
const MESSAGE_BYTES_MAX: usize = BODY_BYTES_MAX + TOKEN_BYTES_MAX + 4096;

/// Where the broker is and who we are there.
#[derive(Clone, clap::Args)]
#[group(skip)]
pub struct Config {
    /// Address of the NATS server.
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
}

impl Config {
    /// The subject under which this user hears answers to whatever is called `name`.
    ///
    /// Nobody else may subscribe to `_INBOX_<user>.>`.
    fn inbox(&self, name: &str) -> String {
        format!("_INBOX_{}.{name}", self.user)
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("url", &self.url)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

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

/// Creates the two streams, or finds them as they should be. Only the ledger does this.
///
/// # Errors
/// When the broker refuses, for example because a stream exists with settings that can't be changed.
pub async fn ensure_streams(
    jetstream: &jetstream::Context,
    replicas: usize,
) -> Result<(), context::CreateStreamError> {
    let requests = stream_config(REQUESTS, "request.>", replicas);
    let max_message_size = i32::try_from(MESSAGE_BYTES_MAX).expect("a constant of a few kilobytes");
    jetstream
        .create_or_update_stream(stream::Config {
            max_message_size,
            ..requests
        })
        .await?;
    // Answers are ours. None may be refused, so what goes into one is bounded where requests are verified.
    jetstream
        .create_or_update_stream(stream_config(SETTLEMENTS, "settlement.>", replicas))
        .await?;
    Ok(())
}

fn stream_config(name: &str, subject: &str, replicas: usize) -> stream::Config {
    stream::Config {
        name: name.to_owned(),
        subjects: vec![subject.to_owned()],
        storage: stream::StorageType::File,
        retention: stream::RetentionPolicy::Limits,
        discard: stream::DiscardPolicy::New,
        num_replicas: replicas,
        duplicate_window: Duration::from_secs(120),
        deny_delete: true,
        deny_purge: true,
        allow_direct: true,
        allow_atomic_publish: true,
        ..stream::Config::default()
    }
}

/// The sequence of the last message of a stream; 0 when it is empty.
///
/// # Errors
/// When the broker does not answer or has no such stream.
pub async fn last_sequence(
    jetstream: &jetstream::Context,
    stream: &str,
) -> Result<u64, context::GetStreamError> {
    Ok(jetstream
        .get_stream(stream)
        .await?
        .cached_info()
        .state
        .last_sequence)
}
