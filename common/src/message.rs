//! A message of a stream: as it is stored, and on its way there.
//!
//! nats-server stores any header bytes without looking at them. Anybody who may publish may send them, and they stay in
//! the log. So a malformed message is not an error here.

use std::borrow::Cow;
use std::fmt::Display;

use bytes::Bytes;
use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use serde::Serialize;

use crate::headers::{HeaderLines, Headers};
use crate::wire::{AUTHORIZATION, CE_ID, CE_SOURCE, CE_SPECVERSION, CE_TYPE, TRACEPARENT};

/// A stored message.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its place in the stream.
    pub sequence: u64,
    /// When the broker stored it, to the microsecond, which is what PostgreSQL and our JSON keep.
    pub published_at: DateTime<Utc>,
    /// Its subject.
    pub subject: String,
    /// Its headers; empty if they can't be read.
    pub headers: Headers,
    /// The bytes of headers that can't be read.
    pub unreadable_headers: Option<Bytes>,
    /// Its body.
    pub payload: Bytes,
}

impl Stored {
    pub(crate) fn new(
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

/// A message on its way out.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Where it goes.
    pub subject: String,
    /// Its headers, without those of the batch.
    pub headers: HeaderLines,
    /// Its body.
    pub payload: Bytes,
}

/// What a request says of itself besides its body.
#[derive(Debug, Clone, Copy)]
pub struct EventHeaders<'e, I> {
    /// Its `ce-type`.
    pub ce_type: &'e str,
    /// The id of what it is about.
    pub ce_id: I,
    /// Who made it, such as `/clients/shop`.
    pub ce_source: &'e str,
}

impl Outgoing {
    /// Bytes of its headers and body.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.headers.as_str().len() + self.payload.len()
    }

    /// A request under a token.
    ///
    /// # Panics
    /// When the body can't be written as JSON, which is a mistake in its type.
    pub fn request(
        subject: String,
        token: &str,
        event: EventHeaders<'_, impl Display>,
        traceparent: Option<&str>,
        body: &impl Serialize,
    ) -> Self {
        let payload = serde_json::to_vec(body).expect("a request is texts and ids");
        Self::of_body(subject, token, event, traceparent, payload.into())
    }

    /// As [`Outgoing::request`], with a body as somebody wrote it.
    pub fn of_body(
        subject: String,
        token: &str,
        event: EventHeaders<'_, impl Display>,
        traceparent: Option<&str>,
        payload: Bytes,
    ) -> Self {
        let mut headers = HeaderLines::with_capacity(token.len() + 300);
        headers.add(AUTHORIZATION, format_args!("Bearer {token}"));
        let EventHeaders {
            ce_type,
            ce_id,
            ce_source,
        } = event;
        add_event_headers(&mut headers, ce_type, ce_id, ce_source);
        if let Some(traceparent) = traceparent {
            headers.add(TRACEPARENT, traceparent);
        }
        Self {
            subject,
            headers,
            payload,
        }
    }
}

/// Adds the type, id and source of an event.
pub fn add_event_headers(
    headers: &mut HeaderLines,
    ce_type: &str,
    ce_id: impl Display,
    ce_source: impl Display,
) {
    headers.add(CE_SPECVERSION, "1.0");
    headers.add(CE_ID, ce_id);
    headers.add(CE_TYPE, ce_type);
    headers.add(CE_SOURCE, ce_source);
}

/// The text of some bytes, with a replacement character for each invalid byte: as in the broker's own JSON.
#[must_use]
pub fn text(bytes: &[u8]) -> Cow<'_, str> {
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
