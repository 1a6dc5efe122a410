//! A stored message, and how one is fetched by its sequence.
//!
//! nats-server stores header bytes that it never looks at, whatever they are. Whoever may publish may send them, and they
//! stay in the log; so nothing that is wrong with a message is an error here.

use std::borrow::Cow;

use async_nats::jetstream::response::Response;
use async_nats::jetstream::{self, ErrorCode, stream::RawMessage};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use serde::Deserialize;

use super::{Headers, ReadError};

/// A stored message.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its place in the stream.
    pub sequence: u64,
    /// When the broker stored it, to the microsecond, which is what PostgreSQL and our JSON keep.
    pub published_at: DateTime<Utc>,
    /// Its subject.
    pub subject: String,
    /// Its headers; none if they can't be read.
    pub headers: Headers,
    /// The bytes of headers that can't be read.
    pub unreadable_headers: Option<Bytes>,
    /// Its body.
    pub payload: Bytes,
}

impl Stored {
    pub(super) fn new(
        sequence: u64,
        published_at: DateTime<Utc>,
        subject: String,
        raw_headers: Bytes,
        payload: Bytes,
    ) -> Self {
        let headers = Headers::read(&raw_headers);
        Self {
            sequence,
            published_at: microseconds(published_at),
            subject,
            unreadable_headers: headers.is_none().then_some(raw_headers),
            headers: headers.unwrap_or_default(),
            payload,
        }
    }

    /// The first value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }
}

/// Reads one message by its sequence, from the stream's leader; `None` when the stream has none there.
///
/// # Errors
/// When the broker does not answer.
pub async fn get(
    jetstream: &jetstream::Context,
    stream: &str,
    sequence: u64,
) -> Result<Option<Stored>, ReadError> {
    #[derive(Deserialize)]
    struct Got {
        message: RawMessage,
    }
    let failed = |cause: &dyn std::fmt::Display| ReadError::Broker {
        stream: stream.to_owned(),
        cause: cause.to_string(),
    };
    let request = serde_json::json!({ "seq": sequence });
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

/// The text of some bytes, with a replacement character for each byte that is none: as in the broker's own JSON.
pub(super) fn text(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    Cow::Owned(text)
}

fn microseconds(time: DateTime<Utc>) -> DateTime<Utc> {
    time.duration_trunc(TimeDelta::microseconds(1))
        .expect("the broker's clock is within the years that have nanoseconds")
}
