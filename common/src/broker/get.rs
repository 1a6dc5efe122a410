//! One stored message, fetched by its sequence or as the next of a subject.

use async_nats::jetstream::response::Response;
use async_nats::jetstream::{self, ErrorCode, stream::RawMessage};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;

use super::error::ReadError;
use crate::message::Stored;

/// Reads one message by its sequence, from the stream's leader; `None` when the stream has none there.
///
/// # Errors
/// When the broker does not answer.
pub async fn get(
    jetstream: &jetstream::Context,
    stream: &str,
    sequence: u64,
) -> Result<Option<Stored>, ReadError> {
    fetch(jetstream, stream, serde_json::json!({ "seq": sequence })).await
}

/// Reads the first message of a subject at this sequence or behind it; `None` when there is none.
///
/// # Errors
/// When the broker does not answer.
pub async fn get_next(
    jetstream: &jetstream::Context,
    stream: &str,
    subject: &str,
    from: u64,
) -> Result<Option<Stored>, ReadError> {
    let request = serde_json::json!({ "seq": from, "next_by_subj": subject });
    fetch(jetstream, stream, request).await
}

async fn fetch(
    jetstream: &jetstream::Context,
    stream: &str,
    request: serde_json::Value,
) -> Result<Option<Stored>, ReadError> {
    #[derive(Deserialize)]
    struct Got {
        message: RawMessage,
    }
    let failed = |cause: &dyn std::fmt::Display| ReadError::Broker {
        stream: stream.to_owned(),
        cause: cause.to_string(),
    };
    let response: Response<Got> = jetstream
        .request(format!("STREAM.MSG.GET.{stream}"), &request)
        .await
        .map_err(|error| failed(&error))?;
    let message = match response {
        Response::Ok(got) => got.message,
        Response::Err { error } if error.error_code() == ErrorCode::NO_MESSAGE_FOUND => {
            return Ok(None);
        }
        Response::Err { error } => return Err(failed(&error)),
    };
    let bytes = |base64: &str| {
        STANDARD
            .decode(base64)
            .map(Bytes::from)
            .map_err(|error| failed(&error))
    };
    let raw_headers = bytes(message.headers.as_deref().unwrap_or_default())?;
    Ok(Some(Stored::new(
        message.sequence,
        message.time,
        message.subject,
        raw_headers,
        bytes(&message.payload)?,
    )))
}
