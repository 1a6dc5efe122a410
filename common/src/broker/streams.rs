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

/// Why a stream is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum StreamsError {
    /// The broker does not answer, or refuses.
    #[error(transparent)]
    Broker(#[from] context::CreateStreamError),
    /// It was made by somebody else, with settings under which messages can be lost and which can't be changed.
    #[error(
        "the stream {stream} has {settings}, which can't be changed: \
         export what it holds, and let a ledger make it on a broker without it"
    )]
    Unsafe {
        /// The stream.
        stream: &'static str,
        /// `storage=memory instead of file`, several with commas.
        settings: String,
    },
}

/// Creates the two streams, or finds them as they should be. Only the ledger does this.
///
/// # Errors
/// When the broker refuses, or a stream exists with settings that can't be changed.
pub async fn ensure_streams(
    jetstream: &jetstream::Context,
    replicas: usize,
) -> Result<(), StreamsError> {
    ensure(jetstream, REQUESTS, requests_config(replicas)).await?;
    ensure(jetstream, SETTLEMENTS, settlements_config(replicas)).await
}

/// What is wrong with a stream that is there, as [`ensure_streams`] would say it. However many replicas it has are right: the
/// ledger that made it was told how many.
///
/// # Errors
/// When the broker does not answer or has no such stream.
pub async fn stream_faults(
    jetstream: &jetstream::Context,
    name: &str,
) -> Result<Vec<String>, context::GetStreamError> {
    let found = jetstream
        .get_stream(name)
        .await?
        .cached_info()
        .config
        .clone();
    let replicas = found.num_replicas;
    let wanted = match name {
        REQUESTS => requests_config(replicas),
        _ => settlements_config(replicas),
    };
    Ok(unsafe_settings(&found, &wanted))
}

/// Creates or changes one stream, and looks at what the broker made of it.
async fn ensure(
    jetstream: &jetstream::Context,
    stream: &'static str,
    wanted: stream::Config,
) -> Result<(), StreamsError> {
    let ensured = jetstream.create_or_update_stream(wanted.clone()).await;
    let found = match &ensured {
        Ok(info) => Some(info.config.clone()),
        // What the broker says of a change that it refuses names no value.
        Err(_) => {
            let found = jetstream.get_stream(stream).await;
            found.ok().map(|stream| stream.cached_info().config.clone())
        }
    };
    let settings = found.map(|found| unsafe_settings(&found, &wanted));
    match settings {
        Some(settings) if !settings.is_empty() => Err(StreamsError::Unsafe {
            stream,
            settings: settings.join(", "),
        }),
        _ => Ok(ensured.map(drop)?),
    }
}

/// Those settings of a stream under which a message that was acknowledged can be lost or changed, or readers fail.
fn unsafe_settings(found: &stream::Config, wanted: &stream::Config) -> Vec<String> {
    let mut differences = Vec::new();
    let mut compare = |setting, found: String, wanted: String| {
        if found != wanted {
            differences.push(format!("{setting}={found} instead of {wanted}"));
        }
    };
    let debug = |value: &dyn std::fmt::Debug| format!("{value:?}").to_lowercase();
    compare("storage", debug(&found.storage), debug(&wanted.storage));
    let retention = (debug(&found.retention), debug(&wanted.retention));
    compare("retention", retention.0, retention.1);
    compare("discard", debug(&found.discard), debug(&wanted.discard));
    compare(
        "subjects",
        found.subjects.join(" "),
        wanted.subjects.join(" "),
    );
    let age = (found.max_age.as_secs(), wanted.max_age.as_secs());
    compare("max_age", format!("{}s", age.0), format!("{}s", age.1));
    let window = (found.duplicate_window, wanted.duplicate_window);
    compare("duplicate_window", debug(&window.0), debug(&window.1));
    let replicas = (found.num_replicas, wanted.num_replicas);
    compare("num_replicas", debug(&replicas.0), debug(&replicas.1));
    let persist = |config: &stream::Config| debug(&config.persist_mode.unwrap_or_default());
    compare("persist_mode", persist(found), persist(wanted));
    // The broker says -1 for "without limit", and so does 0.
    for (limit, found) in [
        ("max_msgs", found.max_messages),
        ("max_bytes", found.max_bytes),
        ("max_msgs_per_subject", found.max_messages_per_subject),
    ] {
        compare(limit, found.max(0).to_string(), "0".to_owned());
    }
    let switches = |config: &stream::Config| {
        [
            ("deny_delete", config.deny_delete),
            ("deny_purge", config.deny_purge),
            ("allow_direct", config.allow_direct),
            ("allow_atomic", config.allow_atomic_publish),
            ("allow_rollup_hdrs", config.allow_rollup),
            ("allow_msg_ttl", config.allow_message_ttl),
            ("allow_msg_schedules", config.allow_message_schedules),
            ("no_ack", config.no_ack),
            ("sealed", config.sealed),
            ("mirror", config.mirror.is_some()),
            ("sources", config.sources.is_some()),
            ("republish", config.republish.is_some()),
            ("subject_transform", config.subject_transform.is_some()),
        ]
    };
    for ((switch, found), (_, wanted)) in switches(found).into_iter().zip(switches(wanted)) {
        compare(switch, found.to_string(), wanted.to_string());
    }
    differences
}

/// The servers that hold a stream, by name; empty where the broker is no cluster.
///
/// # Errors
/// When the broker does not answer or has no such stream.
pub async fn holders(
    jetstream: &jetstream::Context,
    stream: &str,
) -> Result<Vec<String>, context::GetStreamError> {
    let stream = jetstream.get_stream(stream).await?;
    let cluster = stream.cached_info().cluster.clone().unwrap_or_default();
    let replicas = cluster.replicas.into_iter().map(|replica| replica.name);
    Ok(cluster.leader.into_iter().chain(replicas).collect())
}

fn requests_config(replicas: usize) -> stream::Config {
    let max_message_size = i32::try_from(MESSAGE_BYTES_MAX).expect("a constant of a few kilobytes");
    stream::Config {
        max_message_size,
        ..stream_config(REQUESTS, "request.>", replicas)
    }
}

/// Answers are ours. None may be refused, so what goes into one is bounded where requests are verified.
fn settlements_config(replicas: usize) -> stream::Config {
    stream_config(SETTLEMENTS, "settlement.>", replicas)
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
