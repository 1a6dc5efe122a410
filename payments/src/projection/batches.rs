//! What a batch of payments becomes: a row of its own, and from its answer on a row for each payment.
//!
//! Until then its payments have none: an answer that refuses the batch whole does not name them. Pure.

use std::collections::BTreeMap;

use common::ids::{BatchId, ClientId};
use common::kinds::body::RequestBody as _;
use common::kinds::bulk::{Batch, BatchAnswer, BatchRequest, BatchStatus};
use common::message::{Stored, text};

use crate::store::{AnsweredBatch, Counts, RequestedBatch};

/// The rows of the batches in a part of a log, one for each.
pub(super) struct Batches<R>(BTreeMap<(ClientId, BatchId), R>);

impl<R> Default for Batches<R> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<R> Batches<R> {
    pub(super) fn into_rows(self) -> Vec<R> {
        self.0.into_values().collect()
    }
}

impl Batches<RequestedBatch> {
    /// Notes a request, if it can be read; the last one of a batch counts.
    pub(super) fn note(&mut self, message: &Stored, client_id: ClientId) {
        if message.payload.len() > BatchRequest::BYTES_MAX {
            return;
        }
        let Ok(batch) = Batch::read(&message.payload) else {
            return;
        };
        let row = RequestedBatch {
            client_id: client_id.clone(),
            batch_id: batch.batch_id,
            request_seq: message.sequence,
            published_at: message.published_at,
        };
        self.0.insert((client_id, batch.batch_id), row);
    }
}

impl Batches<AnsweredBatch> {
    /// Notes an answer, if it names a batch; the first one that looked at its payments counts.
    pub(super) fn note(&mut self, message: &Stored, answer: &BatchAnswer) {
        let Some(batch_id) = answer.batch_id else {
            return;
        };
        let key = (answer.client_id.clone(), batch_id);
        if self.0.get(&key).is_some_and(|known| known.is_answered) {
            return;
        }
        let count = |count| i32::try_from(count).expect("a batch has at most a thousand payments");
        let row = AnsweredBatch {
            requested: RequestedBatch {
                client_id: answer.client_id.clone(),
                batch_id,
                request_seq: answer.request_seq,
                published_at: answer.published_at,
            },
            is_answered: answer.status == BatchStatus::Answered,
            decided_at: message.published_at,
            counts: Counts {
                settled: count(answer.settled),
                rejected: count(answer.rejected),
                duplicates: count(answer.duplicates),
            },
            json: text(&message.payload).into_owned(),
        };
        self.0.insert(key, row);
    }
}
