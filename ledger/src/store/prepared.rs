//! The rows of a batch as they are sent, made while the batch before it is written: the one connection that writes is what
//! everything waits for.

use std::sync::Arc;

use super::bulk::copied_batch_payments;
use super::copy::Rows;
use super::history::{PostingRow, posting_rows};
use crate::core::batch::{Batch, Decided};

/// A decided batch, ready to be written.
pub(crate) struct Prepared {
    /// The batch.
    pub(crate) batch: Arc<Batch>,
    pub(super) postings: Postings,
    /// The payment ids that batches of payments used up, if there are any.
    pub(super) batch_payments: Option<Rows>,
}

/// What a batch booked.
pub(super) enum Postings {
    /// None of it for a payment of a batch of payments.
    Plain(Vec<PostingRow>),
    /// Some or all of it for payments of batches of payments. Plain payments beside them come along.
    Copied(Rows),
}

impl Prepared {
    /// Makes the rows of a decided batch.
    pub(crate) fn of(batch: Arc<Batch>) -> Self {
        Self {
            postings: Postings::of(&batch.decided),
            batch_payments: copied_batch_payments(&batch.decided),
            batch,
        }
    }
}

impl Postings {
    fn of(decided: &[Decided]) -> Self {
        let mut postings: Vec<PostingRow> = posting_rows(decided).collect();
        // In the order of the index neighbours go to the same page of it. For bulk PostgreSQL takes an eighth less.
        postings.sort_unstable_by_key(|row| (row.account_seq, row.number));
        if postings.iter().all(|row| row.item.is_none()) {
            return Self::Plain(postings);
        }
        let mut rows = Rows::new(
            "posting (account_seq, number, request_seq, amount, balance, effective_date, item)",
        );
        for posting in postings {
            rows.row(7)
                .field(posting.account_seq)
                .field(posting.number)
                .field(posting.request_seq)
                .field(posting.amount)
                .field(posting.balance)
                .field(posting.effective_date)
                .field(posting.item);
        }
        Self::Copied(rows)
    }
}
