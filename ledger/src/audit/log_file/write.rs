//! Writes a log file: under a temporary name first, so that a file with the right name is always whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use common::message::Stored;
use flate2::{Compress, Compression, FlushCompress, Status};
use serde::Serialize;

use super::format::{self, Prefix, REQUEST, SETTLEMENT};
use super::{
    BLOCK_BYTES, BLOCK_REQUESTS, END, End, HEAD, Head, LogFileError, MAGIC, MESSAGES, VERSION,
};
use crate::core::chain::Digest;

/// A log file while it is written.
///
/// Nothing stands under the file's own name before [`LogFileWriter::finish`]; a writer that is dropped takes its temporary
/// file away.
pub struct LogFileWriter {
    file: File,
    /// Where it is written; empty once it has its own name.
    temporary: Option<PathBuf>,
    path: PathBuf,
    before: Digest,
    block: Vec<u8>,
    block_requests: usize,
    written: End,
    compress: Compress,
    packed: Vec<u8>,
}

impl LogFileWriter {
    /// A file with this head. Only its owner can read it: it holds every token of the log.
    ///
    /// # Errors
    /// When the directory can't be written to.
    pub fn create(path: &Path, head: &Head) -> Result<Self, LogFileError> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.part", std::process::id()));
        let temporary = path.with_file_name(name);
        let options = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary);
        let mut this = Self {
            file: options?,
            temporary: Some(temporary),
            path: path.to_owned(),
            before: format::start(),
            block: Vec::with_capacity(BLOCK_BYTES),
            block_requests: 0,
            written: End {
                requests: 0,
                answers: 0,
            },
            // Most of a log is tokens, which repeat: the fastest level finds that as well as any.
            compress: Compress::new(Compression::fast(), false),
            packed: Vec::new(),
        };
        this.file.write_all(MAGIC)?;
        this.file.write_all(&VERSION.to_be_bytes())?;
        this.json(HEAD, head)?;
        Ok(this)
    }

    /// Adds the next request, and its answer if there is one.
    ///
    /// # Errors
    /// When the disk is full.
    ///
    /// # Panics
    /// When the messages are not the next ones.
    pub fn add(&mut self, request: &Stored, answer: Option<&Stored>) -> Result<(), LogFileError> {
        self.written.requests += 1;
        assert!(
            request.sequence == self.written.requests,
            "requests are written in order"
        );
        format::put(&mut self.block, REQUEST, request);
        if let Some(answer) = answer {
            self.written.answers += 1;
            assert!(
                answer.sequence == self.written.answers && answer.sequence == request.sequence,
                "an answer stands behind its request"
            );
            format::put(&mut self.block, SETTLEMENT, answer);
        }
        self.block_requests += 1;
        if self.block_requests == BLOCK_REQUESTS || self.block.len() >= BLOCK_BYTES {
            self.close_block()?;
        }
        Ok(())
    }

    /// Writes the end, waits until all is on the disk, and gives the file its name. Returns how many bytes it has.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn finish(mut self) -> Result<u64, LogFileError> {
        self.close_block()?;
        let end = self.written;
        self.json(END, &end)?;
        self.file.sync_all()?;
        let bytes = self.file.metadata()?.len();
        if let Some(temporary) = &self.temporary {
            fs::rename(temporary, &self.path)?;
        }
        self.temporary = None;
        // The name is in the directory, and that is on the disk only when it was synced too.
        let directory = self
            .path
            .parent()
            .filter(|path| !path.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(bytes)
    }

    fn close_block(&mut self) -> Result<(), LogFileError> {
        if self.block.is_empty() {
            return Ok(());
        }
        let block = std::mem::take(&mut self.block);
        self.put_block(MESSAGES, &block)?;
        self.block = block;
        self.block.clear();
        self.block_requests = 0;
        Ok(())
    }

    fn json(&mut self, kind: u8, content: &impl Serialize) -> Result<(), LogFileError> {
        let json = serde_json::to_vec(content).expect("numbers and texts are JSON");
        self.put_block(kind, &json)
    }

    fn put_block(&mut self, kind: u8, block: &[u8]) -> Result<(), LogFileError> {
        self.compress.reset();
        self.packed.clear();
        loop {
            self.packed.reserve(block.len() / 8 + 1024);
            let done = usize::try_from(self.compress.total_in()).unwrap_or(block.len());
            let status =
                self.compress
                    .compress_vec(&block[done..], &mut self.packed, FlushCompress::Finish);
            match status.map_err(io::Error::other)? {
                Status::StreamEnd => break,
                Status::Ok | Status::BufError => {}
            }
        }
        let short = |length| u32::try_from(length).expect("a block is far smaller");
        let prefix = Prefix {
            kind,
            packed_bytes: short(self.packed.len()),
            bytes: short(block.len()),
        };
        self.before = prefix.digest(&self.before, &self.packed);
        self.file.write_all(&prefix.to_bytes())?;
        self.file.write_all(&self.before)?;
        self.file.write_all(&self.packed)?;
        Ok(())
    }
}

impl Drop for LogFileWriter {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // What can't be removed was removed by somebody else, or stays as a file whose name says what it is.
            fs::remove_file(temporary).ok();
        }
    }
}
