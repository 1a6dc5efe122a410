//! Writes both streams to one file: the requests as they are stored, and beside them the answers that were published.

use std::path::Path;

use common::broker::{self, Reader};
use common::service::now;
use common::wire::{REQUESTS, SETTLEMENTS};

use super::error::ReplayError;
use super::log_file::{End, Head, LogFileWriter};
use super::source::Source;

/// What was exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Exported {
    /// Requests in the file.
    pub requests: u64,
    /// Answers in the file.
    pub answers: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Writes the whole log, as far as it goes now, to `path`. After each portion, `progress` gets how far it is and where it
/// ends.
///
/// The file has its name only when it is whole. Dropping the future takes away what was written.
///
/// # Errors
/// When the streams can't be read or the file can't be written.
pub async fn export(
    broker: &broker::Config,
    path: &Path,
    mut progress: impl FnMut(u64, u64),
) -> Result<Exported, ReplayError> {
    let jetstream = broker::jetstream(&broker::connect(broker).await?);
    // The answers first: each has its request, so none is in the file alone.
    let answers = broker::last_sequence(&jetstream, SETTLEMENTS).await?;
    let requests = broker::last_sequence(&jetstream, REQUESTS).await?;
    let head = Head {
        requests,
        answers: answers.min(requests),
        exported_at: now(),
        program: format!("quittance {}", env!("CARGO_PKG_VERSION")),
    };
    let mut file = LogFileWriter::create(path, &head)?;
    let mut stored = Source::Stream(Box::new(Reader::new(broker, REQUESTS, 1)));
    let mut published = Source::Stream(Box::new(Reader::of_settlements_only_reading(broker, 1)));
    let mut done = End {
        requests: 0,
        answers: 0,
    };
    let mut waiting = Vec::new().into_iter();
    while done.requests < head.requests {
        // What came behind the last request since is not part of it.
        let left = usize::try_from(head.requests - done.requests).unwrap_or(usize::MAX);
        for request in stored.next().await?.iter().take(left) {
            done.requests += 1;
            let mut answer = None;
            if done.answers < head.answers {
                if waiting.as_slice().is_empty() {
                    waiting = published.next().await?.into_iter();
                }
                done.answers += 1;
                answer = waiting.next();
            }
            file.add(request, answer.as_ref())?;
        }
        progress(done.requests, head.requests);
    }
    let bytes = tokio::task::spawn_blocking(|| file.finish());
    Ok(Exported {
        requests: done.requests,
        answers: done.answers,
        bytes: bytes.await.expect("writing a file does not panic")?,
    })
}
