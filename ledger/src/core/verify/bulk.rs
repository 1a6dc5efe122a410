//! Verifies a batch of payments.

use common::ids::{AccountId, BatchId, ClientId};
use common::kinds::Answer;
use common::kinds::bulk::{Batch, BatchRequest, Malformed, REQUESTED, UnreadableBatch};
use common::message::Stored;

use super::accepted::Accepted;
use super::envelope::{Known, SUBMITTERS, allowed, envelope, not_too_long};
use super::payment::Payment;
use crate::core::at::At;
use crate::core::rejection;

/// A batch with what decisions need of its payments, read once.
#[derive(Debug, Clone)]
pub struct Bulk {
    /// The batch's name.
    pub batch_id: BatchId,
    /// All of it is booked, or nothing.
    pub atomic: bool,
    /// The debtor that stands above, where one does.
    pub debtor_account: Option<AccountId>,
    /// The currency that stands above, where one does.
    pub currency: Option<String>,
    /// The payments, in order.
    pub payments: Vec<Result<Payment, Malformed>>,
}

impl Bulk {
    /// Reads the payments of a batch that was published at this time.
    #[must_use]
    pub fn new(batch: Batch, at: At) -> Self {
        let payment = |read: Result<_, _>| read.map(|request| Payment::new(request, at));
        Self {
            batch_id: batch.batch_id,
            atomic: batch.atomic,
            debtor_account: batch.debtor_account,
            currency: batch.currency,
            payments: batch.payments.into_iter().map(payment).collect(),
        }
    }

    /// The payments that could be read.
    pub fn readable(&self) -> impl Iterator<Item = &Payment> {
        self.payments.iter().flatten()
    }
}

/// The token and the batch, or the rejection.
pub(super) fn verify(
    message: &Stored,
    at: At,
    client: ClientId,
    known: &mut Known<'_>,
) -> Result<Accepted<Bulk>, Box<Answer>> {
    let rejected = |client, batch_id, reason| {
        let answer = rejection::bulk(at, client, batch_id, reason);
        Box::new(Answer::Bulk(Box::new(answer)))
    };
    if let Err(reason) = not_too_long::<BatchRequest>(message) {
        return Err(rejected(client, None, reason));
    }
    let batch = match Batch::read(&message.payload) {
        Ok(batch) => batch,
        Err(UnreadableBatch { batch_id, reason }) => {
            return Err(rejected(client, batch_id, reason));
        }
    };
    let id = batch.batch_id;
    let verdict = envelope(message, at.rules, REQUESTED, &id.to_string())
        .and_then(|()| allowed(message, at.rules, &client, &SUBMITTERS, known));
    match verdict {
        Ok(token) => Ok(Accepted {
            token,
            request: Bulk::new(batch, at),
        }),
        Err(reason) => Err(rejected(client, Some(id), reason)),
    }
}
