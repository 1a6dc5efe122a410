//! Everything that is said to NATS: connecting, the two streams, publishing, and reading them in order.
//!
//! A reader trusts neither broker-side acks nor the client's ordered consumer but the sequence: [`Reader`] hands out
//! messages `n, n+1, n+2 …` and nothing else. [`publish_batch`] stores many messages or none, with one fsync.
//! [`Answers`] waits for the answer to a request.

mod answers;
mod feed;
mod headers;
mod reader;
mod stored;

pub use answers::Answers;
pub use headers::Headers;
pub use reader::{ReadError, Reader};
pub use stored::{Stored, get};

use std::time::Duration;

use async_nats::header::{
    NATS_BATCH_COMMIT, NATS_BATCH_ID, NATS_BATCH_SEQUENCE, NATS_EXPECTED_LAST_SEQUENCE,
    NATS_EXPECTED_STREAM,
};
use async_nats::jetstream::response::Response;
use async_nats::jetstream::{self, ErrorCode, context, publish::PublishAck, stream};
use async_nats::{Client, ConnectOptions, Event, HeaderMap};
use bytes::Bytes;
use futures::future::try_join_all;
use uuid::Uuid;

use crate::request::BODY_BYTES_MAX;
use crate::token::TOKEN_BYTES_MAX;
use crate::wire::{REQUESTS, SETTLEMENTS};

/// Most messages in one atomic batch. Source: nats-server's own limit (`batch.max_msgs`).
pub const BATCH_MESSAGES_MAX: usize = 1000;
/// Up to so many messages are better stored one by one, pipelined, and more as an atomic batch.
///
/// A message alone costs the broker one fsync, 0.2 to 0.3 ms. For a batch it makes a directory and files and deletes them
/// again, which takes as long as four messages if they are in memory (`local/src/staging.rs`), and as 12 to 16 on a disk.
pub const ALONE_MAX: usize = 4;
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

/// A message on its way out.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Where it goes.
    pub subject: String,
    /// Its headers, without those of the batch.
    pub headers: HeaderMap,
    /// Its body.
    pub payload: Bytes,
}

/// Why nothing was stored, as far as we know.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The stream does not end where the caller expected: somebody else has written.
    #[error("the stream does not end where expected: {0}")]
    WrongLastSequence(String),
    /// The broker has taken one of these message ids within its duplicate window; none of the batch is stored.
    #[error("the broker has seen a message of this batch before")]
    Duplicate,
    /// The broker has no room for another batch, or has thrown this one away half-way; none of it is stored.
    ///
    /// Whoever may publish can take the stream's few places for batches, so this says nothing about the messages: each
    /// may be published alone.
    #[error("the broker did not take the batch: {0}")]
    Incomplete(String),
    /// The broker says no.
    #[error("the broker refuses: {0}")]
    Refused(String),
    /// No answer: the messages may be stored or not.
    #[error("the broker does not answer: {0}")]
    Unanswered(#[from] async_nats::client::RequestError),
    /// The connection is gone; the messages may be stored or not.
    #[error("the connection is gone: {0}")]
    Disconnected(#[from] async_nats::client::PublishError),
    /// An answer that is none.
    #[error("the broker's answer can't be read: {0}")]
    Unreadable(#[from] serde_json::Error),
}

/// Stores messages (1 to [`BATCH_MESSAGES_MAX`]) right behind message `last_sequence` of a stream, in order, or nothing
/// but the first few of them: a stream that does not end there takes none.
///
/// When the broker has no room for a batch they go one by one: slower, but answers never wait for a stranger's batches.
/// Then they are made again, since keeping a copy would cost each batch.
///
/// # Errors
/// [`PublishError`].
pub async fn publish_behind(
    client: &Client,
    stream: &str,
    last_sequence: u64,
    make: impl Fn() -> Vec<Outgoing>,
) -> Result<(), PublishError> {
    let mut messages = make();
    if messages.len() > ALONE_MAX {
        match publish_batch(client, stream, messages, Some(last_sequence)).await {
            Err(error @ PublishError::Incomplete(_)) => {
                messages = make();
                tracing::warn!(%error, count = messages.len(), "storing messages one by one");
            }
            stored => return stored.map(drop),
        }
    }
    let mut last = last_sequence;
    let mut messages = messages.into_iter().peekable();
    while messages.peek().is_some() {
        // Each waits for nothing but its own acknowledgement.
        let stored = (last..)
            .zip(messages.by_ref().take(TOGETHER_MAX))
            .map(|(last, message)| publish_batch(client, stream, vec![message], Some(last)));
        last += u64::try_from(try_join_all(stored).await?.len()).expect("a few");
    }
    Ok(())
}

/// Messages that are sent behind each other without waiting. They must go in order, so these are few enough that each is
/// sent the first time that it is polled: of more the runtime would have the last ones wait, and wake them in any order.
const TOGETHER_MAX: usize = 16;

/// Stores all of `messages` (1 to [`BATCH_MESSAGES_MAX`]) in one stream, in order and next to each other, or none.
///
/// With `last_sequence_expected` they are stored only if the stream ends there, which makes repeating it harmless.
/// Several messages go as one JetStream atomic batch, which costs the broker one fsync; one alone goes as it is.
///
/// # Errors
/// [`PublishError`].
pub async fn publish_batch(
    client: &Client,
    stream: &str,
    messages: Vec<Outgoing>,
    last_sequence_expected: Option<u64>,
) -> Result<PublishAck, PublishError> {
    assert!(
        (1..=BATCH_MESSAGES_MAX).contains(&messages.len()),
        "a batch of {} messages",
        messages.len()
    );
    let count = messages.len();
    let batch_id = Uuid::now_v7().simple().to_string();
    for (index, mut message) in (1..=count).zip(messages) {
        let headers = &mut message.headers;
        if index == 1 {
            headers.insert(NATS_EXPECTED_STREAM, stream);
            if let Some(last) = last_sequence_expected {
                headers.insert(NATS_EXPECTED_LAST_SEQUENCE, last.to_string());
            }
        }
        if count > 1 {
            headers.insert(NATS_BATCH_ID, batch_id.as_str());
            headers.insert(NATS_BATCH_SEQUENCE, index.to_string());
        }
        if index < count {
            client
                .publish_with_headers(message.subject, message.headers, message.payload)
                .await?;
            continue;
        }
        if count > 1 {
            headers.insert(NATS_BATCH_COMMIT, "1");
        }
        let response = client
            .request_with_headers(message.subject, message.headers, message.payload)
            .await?;
        return match serde_json::from_slice(&response.payload)? {
            Response::Ok(ack) => Ok(ack),
            Response::Err { error } => Err(match error.error_code() {
                ErrorCode::STREAM_WRONG_LAST_SEQUENCE => {
                    PublishError::WrongLastSequence(error.to_string())
                }
                ErrorCode::ATOMIC_PUBLISH_CONTAINS_DUPLICATE_MESSAGE => PublishError::Duplicate,
                ErrorCode::ATOMIC_PUBLISH_INCOMPLETE_BATCH
                | ErrorCode::ATOMIC_PUBLISH_TOO_MANY_INFLIGHT => {
                    PublishError::Incomplete(error.to_string())
                }
                _ => PublishError::Refused(error.to_string()),
            }),
        };
    }
    unreachable!("the last of at least one message returns")
}
