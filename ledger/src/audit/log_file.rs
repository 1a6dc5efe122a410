//! The log in one file, so that an auditor needs no broker: `quittance audit export` writes it, `audit replay` reads it.
//!
//! Version 1. Numbers are big-endian; *text* and *bytes* have their length in front, in 4 bytes.
//!
//! ```text
//! file    = "quittlog" version(4) block …
//! block   = kind(1) packed-length(4) length(4) digest(32) packed
//! digest  = SHA-256(digest of the block before ‖ kind ‖ both lengths ‖ packed); before the first block stands
//!           SHA-256("quittlog" ‖ version)
//! packed  = the content of the block, as raw DEFLATE (RFC 1951)
//! blocks  = one of kind "H", any number of kind "M", one of kind "E", and nothing behind it
//! H, E    = JSON: [`Head`], [`End`]
//! M       = message …, in the order of the log: each request, with its answer behind it when it has one
//! message = stream(1: "R" or "S") sequence(8) time(8: microseconds since 1970) subject(text) headers body(bytes)
//! headers = count(4), then name(text) and value(text) of each, in their order; or 0xffffffff and the block as bytes,
//!           when it can't be read
//! ```
//!
//! The digests find what was damaged by chance. Somebody who changes a file on purpose can make them anew: then the replay
//! finds the change.

mod format;

mod read;
mod write;

pub use read::LogFileReader;
pub use write::LogFileWriter;

use std::io;

use chrono::{DateTime, Utc};
use common::message::Stored;
use serde::{Deserialize, Serialize};

/// What a log file says of itself at its beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The last request in the file; the first is 1.
    pub requests: u64,
    /// The last answer in the file; the first is 1.
    pub answers: u64,
    /// When it was written, by the clock of the machine that wrote it.
    pub exported_at: DateTime<Utc>,
    /// The program that wrote it.
    pub program: String,
}

/// What it says at its end, so that a file that was cut off is not taken for a shorter log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// How many requests there are.
    pub requests: u64,
    /// How many answers there are.
    pub answers: u64,
}

/// Some requests in a row, and the answers to them that were published.
#[derive(Debug, Default)]
pub struct Portion {
    /// In order, without a gap.
    pub requests: Vec<Stored>,
    /// As many, or fewer at the end of the log.
    pub answers: Vec<Stored>,
}

/// Why a log file can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LogFileError {
    /// The disk.
    #[error("the file: {0}")]
    Io(#[from] io::Error),
    /// Something else.
    #[error("the file is no log that `quittance audit export` wrote")]
    NotALog,
    /// Of a later program.
    #[error("the file has version {0}, and this program reads version {VERSION}: use a newer one")]
    Newer(u32),
    /// It ends too early.
    #[error("the file ends in the middle, behind request {0}: it was cut off")]
    Cut(u64),
    /// A digest, or what it covers, was changed.
    #[error("the file was changed or damaged behind request {0}")]
    Changed(u64),
    /// The digests are right, and the content is not what this version writes.
    #[error("the file can't be read behind request {after}: {what}")]
    Unreadable {
        /// The last request that could be read.
        after: u64,
        /// What is wrong.
        what: String,
    },
}

impl LogFileError {
    /// The same error for another reader.
    pub(super) fn again(&self) -> Self {
        match self {
            Self::Io(error) => Self::Io(io::Error::new(error.kind(), error.to_string())),
            Self::NotALog => Self::NotALog,
            Self::Newer(version) => Self::Newer(*version),
            Self::Cut(after) => Self::Cut(*after),
            Self::Changed(after) => Self::Changed(*after),
            Self::Unreadable { after, what } => Self::Unreadable {
                after: *after,
                what: what.clone(),
            },
        }
    }
}

/// What every file begins with.
const MAGIC: &[u8; 8] = b"quittlog";
/// The version of the format.
pub const VERSION: u32 = 1;

const HEAD: u8 = b'H';
const MESSAGES: u8 = b'M';
const END: u8 = b'E';

/// Bytes of kind, lengths and digest in front of each block.
const PREFIX_BYTES: usize = 1 + 4 + 4 + 32;
/// A block is closed when it has so many bytes: large enough to be packed well, small enough to be held in memory.
const BLOCK_BYTES: usize = 4 << 20;
/// The largest block that is read: one that is nearly full, and the largest message behind it.
const BLOCK_BYTES_MAX: u32 = 16 << 20;
/// Requests in a block, as many as a batch that is decided.
const BLOCK_REQUESTS: usize = 1000;

#[cfg(test)]
mod tests;
