//! A stored message, and the way to it that no message can block.
//!
//! nats-server stores header bytes that it never looks at, and the client library can't take all of them: some end its
//! connection, some end the client. Whoever may publish may send such a thing, and it stays in the log. So one message can
//! also be fetched as base64 inside JSON ([`get`]) and is parsed here, where nothing is fatal.

use std::str::FromStr as _;

use async_nats::jetstream::response::Response;
use async_nats::jetstream::{self, ErrorCode, stream::RawMessage};
use async_nats::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use serde::Deserialize;

use super::ReadError;

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
    pub headers: HeaderMap,
    /// The bytes of headers that can't be read.
    pub unreadable_headers: Option<Bytes>,
    /// Its body.
    pub payload: Bytes,
}

impl Stored {
    /// The first value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(HeaderValue::as_str)
    }

    /// The message as a consumer delivered it, and how many more the broker holds behind it.
    pub(super) fn delivered(message: jetstream::Message) -> Result<(Self, u64), String> {
        let info = message.info().map_err(|error| error.to_string())?;
        let (sequence, published_at, pending) = (
            info.stream_sequence,
            microseconds(info.published),
            info.pending,
        );
        let subject = message.subject.to_string();
        let (message, _) = message.split();
        let stored = Self {
            sequence,
            published_at,
            subject,
            headers: message.headers.unwrap_or_default(),
            unreadable_headers: None,
            payload: message.payload,
        };
        Ok((stored, pending))
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
    let headers = read_headers(&raw_headers);
    Ok(Some(Stored {
        sequence: message.sequence,
        published_at: microseconds(message.time),
        subject: message.subject,
        unreadable_headers: headers.is_none().then_some(raw_headers),
        headers: headers.unwrap_or_default(),
        payload: bytes(&message.payload)?,
    }))
}

/// Reads a header block exactly as the client library does, and gives up where it would break.
fn read_headers(block: &[u8]) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    let mut lines = std::str::from_utf8(block).ok()?.lines().peekable();
    let Some(version) = lines.next() else {
        return Some(headers);
    };
    version.strip_prefix("NATS/1.0")?;
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        let (name, value) = line.split_once(':')?;
        let name = HeaderName::from_str(name).ok()?;
        let mut value = value.trim_start().to_owned();
        while let Some(folded) = lines.next_if(|line| line.starts_with(char::is_whitespace)) {
            value.push_str(folded);
        }
        headers.append(name, HeaderValue::from_str(value.trim_end()).ok()?);
    }
    Some(headers)
}

fn microseconds(time: DateTime<Utc>) -> DateTime<Utc> {
    time.duration_trunc(TimeDelta::microseconds(1))
        .expect("the broker's clock is within the years that have nanoseconds")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_or_given_up_and_never_panic() {
        let read = |block: &[u8]| {
            read_headers(block).map(|headers| {
                let mut all: Vec<String> = headers
                    .iter()
                    .flat_map(|(name, values)| {
                        values.iter().map(move |value| format!("{name}={value}"))
                    })
                    .collect();
                all.sort();
                all.join(" ")
            })
        };
        assert_eq!(read(b"").as_deref(), Some(""));
        assert_eq!(
            read(b"NATS/1.0\r\nb: 2 \r\na:1\r\na: 3\r\n\r\n").as_deref(),
            Some("a=1 a=3 b=2")
        );
        assert_eq!(
            read(b"NATS/1.0\r\na: 1\r\n  2\r\n\r\n").as_deref(),
            Some("a=1  2")
        );
        for bad in [
            &b"NATS/1.0\r\nX: \xff\xfe\r\n\r\n"[..],
            b"NATS/1.0\r\nfoo\r\n\r\n",
            b"NATS/1.0\r\nX: a\rb\r\n\r\n",
            b"NATS/1.0\r\nbad name: x\r\n\r\n",
            b"HTTP/1.1\r\nX: y\r\n\r\n",
        ] {
            assert_eq!(read(bad), None, "{}", bad.escape_ascii());
        }
    }
}
