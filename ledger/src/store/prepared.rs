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
    /// What it booked, unless some of it is for a payment of a batch of payments.
    pub(super) plain: Vec<PostingRow>,
    /// Of batches of payments: the ids that they used up, and if they booked anything, all that the batch booked.
    pub(super) copied: Vec<Rows>,
}

impl Prepared {
    /// Makes the rows of a decided batch.
    pub(crate) fn of(batch: Arc<Batch>) -> Self {
        let mut plain = sorted_postings(&batch.decided);
        let mut copied: Vec<Rows> = copied_batch_payments(&batch.decided).into_iter().collect();
        if plain.iter().any(|row| row.item.is_some()) {
            copied.push(copied_postings(std::mem::take(&mut plain)));
        }
        Self {
            batch,
            plain,
            copied,
        }
    }
}

/// In the order of the index neighbours go to the same page of it. For bulk PostgreSQL takes an eighth less.
fn sorted_postings(decided: &[Decided]) -> Vec<PostingRow> {
    let mut postings: Vec<PostingRow> = posting_rows(decided).collect();
    postings.sort_unstable_by_key(|row| (row.account_seq, row.number));
    postings
}

fn copied_postings(postings: Vec<PostingRow>) -> Rows {
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
    rows
}
