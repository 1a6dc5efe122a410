//! All of the ledger's SQL. One statement per function; each takes the caller's connection, so that the caller decides
//! what is one transaction.

mod values;

mod lead;

mod accounts;
mod load;

mod history;
mod log;
mod receipts;
mod revocations;
mod write;
mod write_rare;

mod audit;
mod verify;

pub(crate) use accounts::account_page;
pub use accounts::accounts;
pub use audit::{AuditedAccount, audited_accounts, stray_answers, stray_postings};
pub(crate) use history::{AnswerRow, PostingRow, answers, posting_rows, postings_like};
pub(crate) use lead::lead;
pub use load::{cursor, keys, raised_rules, rules};
pub(crate) use load::{decided_digest, used_payment_ids};
pub(crate) use log::{
    AccountPostingRow, LogFilter, LogRow, SCANNED_MAX, account_postings, category_sums, log_page,
    published_at,
};
pub(crate) use receipts::{
    AnsweredRow, CheckpointRow, answered, chain_after, checkpoint_up_to, leaves_behind, move_tree,
    owns_one, put_checkpoint, put_tiles, tiles, tree_size,
};
pub use revocations::revocations;
pub(crate) use revocations::{is_revoked, relevant as relevant_revocations};
pub(crate) use verify::{
    BookedAnswerRow, LinedPostingRow, OpenedAccountRow, accounts_behind, answered_openings,
    booked_answers, postings_behind, signed_roots, tiles_behind, unanswered_posting,
};
pub(crate) use write::write_batch;

/// The migrations, run by the owner of the tables.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();
