//! All of the ledger's SQL. One statement per function; each takes the caller's connection, so that the caller decides
//! what is one transaction.

mod copy;
mod values;

mod durability;
mod lead;

mod accounts;
mod bulk;
mod controls;
mod events;
mod holds;
mod load;

mod history;
mod log;
mod prepared;
mod receipts;
mod reversals;
mod revocations;
mod statement;
mod write;
mod write_rare;

mod audit;
mod verify;

#[cfg(test)]
pub(crate) mod testing;

pub use accounts::accounts;
pub(crate) use accounts::{account_opened_by, account_page, opened_seqs};
pub use audit::{AuditedAccount, audited_accounts, stray_answers, stray_postings};
pub(crate) use bulk::{
    batch_payment_rows, batch_payments_count, batch_payments_like, has_batches, ids_used_in_batches,
};
pub(crate) use durability::{DatabaseSetting, durability_settings};
pub(crate) use events::{NewEvent, event_page, record_event};
pub(crate) use history::{AnswerRow, PostingRow, answers, posting_rows, postings_like};
pub(crate) use holds::{account_holds, all_holds, due_holds, holds, unannounced_holds};
pub(crate) use lead::{lead, leader};
pub use load::{cursor, keys, raised_rules, rules};
pub(crate) use load::{decided_digest, used_payment_ids};
pub(crate) use log::{
    CategorySum, LogFilter, LogRow, SCANNED_MAX, category_sums, category_sums_at, log_page,
};
pub(crate) use prepared::Prepared;
pub(crate) use receipts::{
    AnsweredRow, CheckpointRow, LeafRow, answered, chain_after, checkpoint_up_to, leaves_behind,
    move_tree, owns_one, put_checkpoint, put_tiles, tiles, tree_size, without_waiting_for_the_disk,
};
pub(crate) use reversals::{BookedBy, ReversedSum, originals, reversed_sums};
pub use revocations::revocations;
pub(crate) use revocations::{is_revoked, relevant as relevant_revocations};
pub(crate) use statement::{
    ByValueDate, Place, Standing, StatementRow, booked, first_day, newest, newest_rows,
    read_batches, rows_as_booked, rows_by_value_date, seq_before, standing,
};
pub(crate) use verify::{
    BookedAnswerRow, LinedPostingRow, MisheldAccount, OpenedAccountRow, REVERSED, ReversalRow,
    accounts_behind, answered_batches, answered_openings, booked_answers, misheld_account,
    postings_behind, reversals_with_answers, signed_roots, tiles_behind, unanswered_posting,
};
pub(crate) use write::write_batch;

/// The migrations, run by the owner of the tables.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();
