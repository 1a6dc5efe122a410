//! How a stream stands, and what time it is at the broker that says so.

use async_nats::jetstream::{self, ErrorCode};
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::error::ReadError;

/// A stream, as the broker describes it at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The sequence of its last message; 0 when it is empty.
    pub last_seq: u64,
    /// When that message was stored, by the broker's clock.
    pub last_published_at: DateTime<Utc>,
    /// What time it is there.
    pub now: DateTime<Utc>,
}

/// The client library drops the broker's time, so this asks by itself.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Info { state: State, ts: DateTime<Utc> },
    Refused { error: jetstream::Error },
}

#[derive(Deserialize)]
struct State {
    last_seq: u64,
    last_ts: DateTime<Utc>,
}

/// Asks how a stream stands.
///
/// # Errors
/// When the broker does not answer or has no such stream.
pub async fn standing(jetstream: &jetstream::Context, stream: &str) -> Result<Standing, ReadError> {
    let failed = |cause: String| ReadError::Broker {
        stream: stream.to_owned(),
        cause,
    };
    let answer = jetstream.request(format!("STREAM.INFO.{stream}"), &());
    match answer.await.map_err(|error| failed(error.to_string()))? {
        Answer::Info { state, ts } => Ok(Standing {
            last_seq: state.last_seq,
            last_published_at: state.last_ts,
            now: ts,
        }),
        Answer::Refused { error } => Err(failed(
            if error.error_code() == ErrorCode::STREAM_NOT_FOUND {
                "there is no such stream".to_owned()
            } else {
                error.to_string()
            },
        )),
    }
}
