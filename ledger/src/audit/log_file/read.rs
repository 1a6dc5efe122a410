//! Reads a log file, and says where it is not what was written.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use bytes::Bytes;
use flate2::{Decompress, FlushDecompress, Status};
use serde::de::DeserializeOwned;

use super::format::{self, Messages, Prefix, REQUEST};
use super::{
    BLOCK_BYTES_MAX, END, End, HEAD, Head, LogFileError, MAGIC, MESSAGES, PREFIX_BYTES, Portion,
    VERSION,
};
use crate::core::chain::Digest;

/// A log file while it is read.
pub struct LogFileReader {
    file: BufReader<File>,
    head: Head,
    before: Digest,
    read: End,
    decompress: Decompress,
    packed: Vec<u8>,
}

impl LogFileReader {
    /// Opens a file and reads its head.
    ///
    /// # Errors
    /// When it is none of ours, or of a newer version.
    pub fn open(path: &Path) -> Result<Self, LogFileError> {
        let mut file = BufReader::with_capacity(1 << 20, File::open(path)?);
        let mut beginning = [0; 12];
        match file.read_exact(&mut beginning) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(LogFileError::NotALog);
            }
            read => read?,
        }
        let (magic, version) = beginning.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(LogFileError::NotALog);
        }
        let version = u32::from_be_bytes(version.try_into().expect("the last four of twelve"));
        if version != VERSION {
            return Err(LogFileError::Newer(version));
        }
        let mut this = Self {
            file,
            head: Head {
                requests: 0,
                answers: 0,
                exported_at: chrono::DateTime::UNIX_EPOCH,
                program: String::new(),
            },
            before: format::start(),
            read: End {
                requests: 0,
                answers: 0,
            },
            decompress: Decompress::new(false),
            packed: Vec::new(),
        };
        match this.block()? {
            (HEAD, block) => this.head = this.json(&block)?,
            (kind, _) => return Err(this.unexpected(kind)),
        }
        Ok(this)
    }

    /// What the file says of itself.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The next requests and their answers; `None` at the end of the file, which is then known to be whole.
    ///
    /// # Errors
    /// When the file was cut off, changed or damaged.
    pub fn portion(&mut self) -> Result<Option<Portion>, LogFileError> {
        match self.block()? {
            (MESSAGES, block) => self.messages(block).map(Some),
            (END, block) => {
                let end: End = self.json(&block)?;
                let promised = End {
                    requests: self.head.requests,
                    answers: self.head.answers,
                };
                if end != self.read || end != promised {
                    return Err(self.unreadable(counts(promised, self.read, end)));
                }
                match self.file.read(&mut [0])? {
                    0 => Ok(None),
                    _ => Err(self.unreadable("something stands behind its end".to_owned())),
                }
            }
            (kind, _) => Err(self.unexpected(kind)),
        }
    }

    fn messages(&mut self, block: Bytes) -> Result<Portion, LogFileError> {
        let mut portion = Portion::default();
        let mut messages = Messages::new(block);
        while let Some(message) = messages.next() {
            let (stream, message) = message.map_err(|what| self.unreadable(what))?;
            let (last, list, name) = if stream == REQUEST {
                (&mut self.read.requests, &mut portion.requests, "request")
            } else {
                (&mut self.read.answers, &mut portion.answers, "answer")
            };
            let (found, expected) = (message.sequence, *last + 1);
            if found != expected {
                let what = format!("{name} {found} stands where {expected} is due");
                return Err(self.unreadable(what));
            }
            *last = found;
            list.push(message);
        }
        if self.read.answers > self.read.requests {
            return Err(self.unreadable("an answer stands before its request".to_owned()));
        }
        Ok(portion)
    }

    /// The next block, unpacked; its digest is right.
    fn block(&mut self) -> Result<(u8, Bytes), LogFileError> {
        let mut beginning = [0; PREFIX_BYTES];
        self.fill(&mut beginning)?;
        let number = |at: usize| {
            let bytes = beginning[at..at + 4].try_into();
            u32::from_be_bytes(bytes.expect("four bytes"))
        };
        let prefix = Prefix {
            kind: beginning[0],
            packed_bytes: number(1),
            bytes: number(5),
        };
        if prefix.packed_bytes.max(prefix.bytes) > BLOCK_BYTES_MAX {
            return Err(LogFileError::Changed(self.read.requests));
        }
        let long = |length| usize::try_from(length).expect("32 bits fit");
        let mut packed = std::mem::take(&mut self.packed);
        packed.resize(long(prefix.packed_bytes), 0);
        self.fill(&mut packed)?;
        let digest = prefix.digest(&self.before, &packed);
        if digest[..] != beginning[9..] {
            return Err(LogFileError::Changed(self.read.requests));
        }
        self.before = digest;
        let mut block = Vec::with_capacity(long(prefix.bytes));
        self.decompress.reset(false);
        let status = self
            .decompress
            .decompress_vec(&packed, &mut block, FlushDecompress::Finish);
        let is_whole = matches!(status, Ok(Status::StreamEnd))
            && block.len() == long(prefix.bytes)
            && self.decompress.total_in() == u64::from(prefix.packed_bytes);
        self.packed = packed;
        if is_whole {
            Ok((prefix.kind, block.into()))
        } else {
            Err(self.unreadable("a block can't be unpacked".to_owned()))
        }
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), LogFileError> {
        match self.file.read_exact(bytes) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(LogFileError::Cut(self.read.requests))
            }
            read => Ok(read?),
        }
    }

    fn json<T: DeserializeOwned>(&self, block: &[u8]) -> Result<T, LogFileError> {
        serde_json::from_slice(block).map_err(|error| self.unreadable(error.to_string()))
    }

    fn unexpected(&self, kind: u8) -> LogFileError {
        self.unreadable(format!("a block of kind {:?}", char::from(kind)))
    }

    fn unreadable(&self, what: String) -> LogFileError {
        LogFileError::Unreadable {
            after: self.read.requests,
            what,
        }
    }
}

fn counts(promised: End, read: End, end: End) -> String {
    let text = |End { requests, answers }| format!("{requests} requests and {answers} answers");
    let (read, promised, end) = (text(read), text(promised), text(end));
    format!("it has {read}; its head says {promised}, its end {end}")
}
