//! The hash chain over the log: each head vouches for every request and answer up to it.
//!
//! `chain_N = SHA-256(chain_{N-1} ‖ N ‖ P ‖ SHA-256(request as stored) ‖ SHA-256(answer body))`, numbers as 8 bytes
//! big-endian, P in microseconds since 1970. The first head is 32 zero bytes.

use aws_lc_rs::digest::{Context, SHA256, digest};
use chrono::{DateTime, Utc};
use common::message::Stored;

/// A SHA-256.
pub type Digest = [u8; 32];

/// The head of the chain after some answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Chain(pub Digest);

impl Chain {
    /// The head before request 1.
    pub const START: Self = Self([0; 32]);

    /// Reads what [`Display`](std::fmt::Display) writes.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let digit = |byte: u8| {
            char::from(byte)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        };
        let mut bytes = [0; 32];
        if text.len() != 64 {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(bytes))
    }

    /// The head after one more answer, of which the body is hashed.
    #[must_use]
    pub fn next(
        self,
        seq: u64,
        published_at: DateTime<Utc>,
        request: &Digest,
        answer: &Digest,
    ) -> Self {
        let mut hash = Context::new(&SHA256);
        hash.update(&self.0);
        hash.update(&seq.to_be_bytes());
        hash.update(&published_at.timestamp_micros().to_be_bytes());
        hash.update(request);
        hash.update(answer);
        Self(fixed(hash.finish().as_ref()))
    }
}

/// How far the log has been decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The last decided request; 0 when there is none.
    pub seq: u64,
    /// The hash chain after its answer.
    pub chain: Chain,
}

/// 64 hex digits.
impl std::fmt::Display for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digits = self.0.iter().flat_map(|byte| [byte >> 4, byte & 0xF]);
        let mut text = [0; 64];
        for (place, digit) in text.iter_mut().zip(digits) {
            *place = DIGITS[usize::from(digit)];
        }
        f.write_str(std::str::from_utf8(&text).expect("hex digits are text"))
    }
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Chain({self})")
    }
}

/// The digest of some bytes.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Digest {
    fixed(digest(&SHA256, bytes).as_ref())
}

/// The digest of a request as it is stored: subject, headers and body, each with its length in front.
///
/// Headers are taken by name, because client libraries put them in no order; values of one name keep their order.
/// Headers that can't be read are taken as they are.
#[must_use]
pub fn request_digest(message: &Stored) -> Digest {
    let mut headers: Vec<(&str, &str)> = message.headers.iter().collect();
    headers.sort_by_key(|(name, _)| *name);
    let mut hash = Context::new(&SHA256);
    let mut add = |bytes: &[u8]| {
        let length = u64::try_from(bytes.len()).expect("a message is shorter than 2^64 bytes");
        hash.update(&length.to_be_bytes());
        hash.update(bytes);
    };
    add(message.subject.as_bytes());
    for (name, value) in headers {
        add(name.as_bytes());
        add(value.as_bytes());
    }
    if let Some(unreadable) = &message.unreadable_headers {
        add(unreadable);
    }
    add(&message.payload);
    fixed(hash.finish().as_ref())
}

fn fixed(bytes: &[u8]) -> Digest {
    bytes.try_into().expect("a SHA-256 has 32 bytes")
}
