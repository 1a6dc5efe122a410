//! Messages as bytes, and the digests of blocks.

use std::ops::Range;

use bytes::Bytes;
use chrono::DateTime;
use common::headers::Headers;
use common::message::Stored;

use super::{MAGIC, VERSION};
use crate::core::chain::{Digest, sha256};

/// A message of REQUESTS.
pub(super) const REQUEST: u8 = b'R';
/// A message of SETTLEMENTS.
pub(super) const SETTLEMENT: u8 = b'S';
/// In place of the number of headers: they can't be read.
const UNREADABLE: u32 = u32::MAX;

/// What the first block is chained to.
pub(super) fn start() -> Digest {
    sha256(&[&MAGIC[..], &VERSION.to_be_bytes()].concat())
}

/// The kind and the lengths of a block, which its digest covers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Prefix {
    pub(super) kind: u8,
    pub(super) packed_bytes: u32,
    pub(super) bytes: u32,
}

impl Prefix {
    pub(super) fn to_bytes(self) -> [u8; 9] {
        let mut out = [self.kind; 9];
        out[1..5].copy_from_slice(&self.packed_bytes.to_be_bytes());
        out[5..].copy_from_slice(&self.bytes.to_be_bytes());
        out
    }

    pub(super) fn digest(self, before: &Digest, packed: &[u8]) -> Digest {
        let mut hash = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        hash.update(before);
        hash.update(&self.to_bytes());
        hash.update(packed);
        let digest = hash.finish();
        digest.as_ref().try_into().expect("a SHA-256 has 32 bytes")
    }
}

/// Adds a message.
pub(super) fn put(out: &mut Vec<u8>, stream: u8, message: &Stored) {
    out.push(stream);
    out.extend_from_slice(&message.sequence.to_be_bytes());
    out.extend_from_slice(&message.published_at.timestamp_micros().to_be_bytes());
    put_bytes(out, message.subject.as_bytes());
    if let Some(unreadable) = &message.unreadable_headers {
        out.extend_from_slice(&UNREADABLE.to_be_bytes());
        put_bytes(out, unreadable);
    } else {
        put_length(out, message.headers.iter().count());
        for (name, value) in message.headers.iter() {
            put_bytes(out, name.as_bytes());
            put_bytes(out, value.as_bytes());
        }
    }
    put_bytes(out, &message.payload);
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_length(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    let length = u32::try_from(length).expect("the broker takes no such message");
    out.extend_from_slice(&length.to_be_bytes());
}

/// The messages of a block, one by one.
pub(super) struct Messages {
    block: Bytes,
    at: usize,
}

impl Messages {
    pub(super) fn new(block: Bytes) -> Self {
        Self { block, at: 0 }
    }

    /// The next one and its stream; `None` at the end of the block, an error when it is no message.
    pub(super) fn next(&mut self) -> Option<Result<(u8, Stored), String>> {
        (self.at < self.block.len()).then(|| {
            let message = self.message();
            message.ok_or_else(|| format!("no message stands at byte {}", self.at))
        })
    }

    fn message(&mut self) -> Option<(u8, Stored)> {
        let [stream] = self.array()?;
        let sequence = u64::from_be_bytes(self.array()?);
        let published_at = DateTime::from_timestamp_micros(i64::from_be_bytes(self.array()?))?;
        let subject = self.text()?.to_owned();
        let count = u32::from_be_bytes(self.array()?);
        let (headers, unreadable_headers) = if count == UNREADABLE {
            (Headers::default(), Some(self.bytes()?))
        } else {
            (self.headers(count)?, None)
        };
        let stored = Stored {
            sequence,
            published_at,
            subject,
            headers,
            unreadable_headers,
            payload: self.bytes()?,
        };
        [REQUEST, SETTLEMENT]
            .contains(&stream)
            .then_some((stream, stored))
    }

    fn headers(&mut self, count: u32) -> Option<Headers> {
        let mut places = Vec::new();
        for _ in 0..count {
            places.push((self.range()?, self.range()?));
        }
        let text = |place: &Range<usize>| std::str::from_utf8(&self.block[place.clone()]).ok();
        let pairs = places
            .iter()
            .map(|(name, value)| Some((text(name)?, text(value)?)));
        pairs.collect()
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let bytes = self.block.get(self.at..self.at + N)?;
        self.at += N;
        bytes.try_into().ok()
    }

    fn range(&mut self) -> Option<Range<usize>> {
        let length = usize::try_from(u32::from_be_bytes(self.array()?)).ok()?;
        let range = self.at..self.at.checked_add(length)?;
        if range.end > self.block.len() {
            return None;
        }
        self.at = range.end;
        Some(range)
    }

    fn text(&mut self) -> Option<&str> {
        let range = self.range()?;
        std::str::from_utf8(&self.block[range]).ok()
    }

    fn bytes(&mut self) -> Option<Bytes> {
        let range = self.range()?;
        Some(self.block.slice(range))
    }
}
