//! The two streams: how they are made and how long they are.

use std::time::Duration;

use async_nats::jetstream::{self, consumer, context, stream};
use futures::TryStreamExt as _;

use super::error::ReadError;
use crate::kinds::BODY_BYTES_MAX;
use crate::token::TOKEN_BYTES_MAX;
use crate::wire::{REQUESTS, SETTLEMENTS};

/// Largest message that REQUESTS takes: a body and a token at their limits, and room for the other headers.
const MESSAGE_BYTES_MAX: usize = BODY_BYTES_MAX + TOKEN_BYTES_MAX + 4096;

/// How long the broker remembers message ids: the server's minimum. Nobody here sends one, because the ledger knows
/// payments for ever. A client that sends one all the same costs memory, and could keep another client's message out.
const DUPLICATE_WINDOW: Duration = Duration::from_millis(100);

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
        duplicate_window: DUPLICATE_WINDOW,
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

/// The durable consumers of a stream, by name. Those that a reader makes for itself have none.
///
/// # Errors
/// When the broker does not answer, or the caller may not ask.
pub async fn durable_consumers(
    jetstream: &jetstream::Context,
    stream: &str,
) -> Result<Vec<consumer::Info>, ReadError> {
    let failed = |cause: &dyn std::fmt::Display| ReadError::Broker {
        stream: stream.to_owned(),
        cause: cause.to_string(),
    };
    let found = jetstream.get_stream_no_info(stream).await;
    let found = found.map_err(|error| failed(&error))?;
    let consumers = found.consumers().try_collect::<Vec<_>>().await;
    let mut consumers = consumers.map_err(|error| failed(&error))?;
    consumers.retain(|info: &consumer::Info| info.config.durable_name.is_some());
    consumers.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(consumers)
}
