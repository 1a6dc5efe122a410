//! Where a replay reads a log from: the broker's streams, or a file, which another thread reads and unpacks.

use std::path::PathBuf;

use common::broker::{BATCH_MESSAGES_MAX, Reader};
use common::message::Stored;
use tokio::sync::mpsc;

use super::error::ReplayError;
use super::log_file::{Head, LogFileError, LogFileReader};

/// Messages of one stream, in order from the first on.
pub(super) enum Source {
    /// As the broker sends them.
    Stream(Box<Reader>),
    /// As a file holds them.
    File(mpsc::Receiver<Result<Vec<Stored>, LogFileError>>),
}

/// Portions of a file that may wait for either side. More than the batches that may wait to be compared, or the one side
/// would wait for a portion that the other keeps from being read.
const PORTIONS_MAX: usize = 8;

impl Source {
    /// The next messages: at least one.
    ///
    /// # Errors
    /// When the stream has a gap, or the file was damaged.
    pub(super) async fn next(&mut self) -> Result<Vec<Stored>, ReplayError> {
        match self {
            Self::Stream(reader) => Ok(reader.batch(BATCH_MESSAGES_MAX).await?),
            Self::File(portions) => {
                let portion = portions.recv().await;
                let portion = portion.expect("nobody asks for more than the head has promised");
                Ok(portion?)
            }
        }
    }
}

/// A file, opened: its head, and its requests and answers.
pub(super) struct OpenedFile {
    pub(super) head: Head,
    pub(super) requests: Source,
    pub(super) answers: Source,
    /// Ends when the file was read to its end; then it is known to be whole.
    pub(super) end: tokio::task::JoinHandle<Result<(), LogFileError>>,
}

/// Opens a file and begins to read it ahead.
///
/// # Errors
/// When it is no log file of a known version.
pub(super) async fn open(path: PathBuf) -> Result<OpenedFile, LogFileError> {
    let opened = tokio::task::spawn_blocking(move || LogFileReader::open(&path)).await;
    let mut file = opened.expect("reading a file does not panic")?;
    let (to_requests, requests) = mpsc::channel(PORTIONS_MAX);
    let (to_answers, answers) = mpsc::channel(PORTIONS_MAX);
    let head = file.head().clone();
    let end = tokio::task::spawn_blocking(move || {
        loop {
            let portion = match file.portion() {
                Ok(Some(portion)) => portion,
                Ok(None) => return Ok(()),
                Err(error) => {
                    // The side that needs what could not be read says so; the other one ends with it.
                    drop(to_requests.blocking_send(Err(error.again())));
                    drop(to_answers.blocking_send(Err(error.again())));
                    return Err(error);
                }
            };
            // Nobody listens any more: a difference was found.
            if !portion.requests.is_empty()
                && to_requests.blocking_send(Ok(portion.requests)).is_err()
            {
                return Ok(());
            }
            if !portion.answers.is_empty() && to_answers.blocking_send(Ok(portion.answers)).is_err()
            {
                return Ok(());
            }
        }
    });
    Ok(OpenedFile {
        head,
        requests: Source::File(requests),
        answers: Source::File(answers),
        end,
    })
}
