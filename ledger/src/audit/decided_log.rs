//! The log, decided again from its first request.

use common::message::Stored;
use common::token::CheckedTokens;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use super::error::ReplayError;
use super::source::Source;
use crate::core::batch::{self, Decided};
use crate::core::book::Book;
use crate::core::chain::Chain;

/// The log, decided again on another core, ahead of the comparing: that is half of the work.
pub(super) struct DecidedLog {
    pub(super) batches: mpsc::Receiver<Result<Vec<Decided>, ReplayError>>,
    /// The accounts and keys at the database's cursor.
    pub(super) book: oneshot::Receiver<Book>,
    _task: AbortOnDropHandle<()>,
}

/// Batches that may wait to be compared.
const DECIDED_BATCHES_MAX: usize = 4;

impl DecidedLog {
    /// From request 1 on, to `cursor` and then to `end`.
    pub(super) fn start(requests: Source, cursor: u64, end: u64) -> Self {
        let (send, batches) = mpsc::channel(DECIDED_BATCHES_MAX);
        let (send_book, book) = oneshot::channel();
        let task = tokio::spawn(async move {
            let decided = decide_to(requests, [cursor, end], &send, send_book).await;
            if let Err(error) = decided {
                // The receiver is gone: it already found a difference.
                drop(send.send(Err(error)).await);
            }
        });
        Self {
            batches,
            book,
            _task: AbortOnDropHandle::new(task),
        }
    }
}

async fn decide_to(
    mut requests: Source,
    [cursor, end]: [u64; 2],
    send: &mpsc::Sender<Result<Vec<Decided>, ReplayError>>,
    send_book: oneshot::Sender<Book>,
) -> Result<(), ReplayError> {
    let (mut book, mut checked) = (Book::default(), CheckedTokens::default());
    let (mut seq, mut chain) = (0, Chain::START);
    let mut send_book = Some(send_book);
    let mut read: Vec<Stored> = Vec::new();
    for stop in [cursor, end] {
        while seq < stop {
            if read.is_empty() {
                read = requests.next().await?;
            }
            let left = usize::try_from(stop - seq).unwrap_or(usize::MAX);
            let rest = read.split_off(left.min(read.len()));
            let mut waiting = std::mem::replace(&mut read, rest);
            while !waiting.is_empty() {
                let rest = waiting.split_off(batch::length(&waiting));
                let messages = std::mem::replace(&mut waiting, rest);
                let verified = batch::verify_all(&messages, &book, &mut checked)?;
                let decided = batch::decide_all(&mut book, chain, verified);
                let last = decided.last().expect("a batch has a message");
                (seq, chain) = (last.request.at.seq, last.chain);
                if send.send(Ok(decided)).await.is_err() {
                    return Ok(());
                }
            }
        }
        if let Some(send_book) = send_book.take() {
            // Without the payment ids, which nobody compares: there is one for every payment of the log.
            let seen = book.without_payment_ids();
            drop(send_book.send(seen));
        }
    }
    Ok(())
}
