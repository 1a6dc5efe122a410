//! All SQL of the payments service. One statement per function, on the caller's connection.

mod values;

mod batches;
mod cursors;
mod follow_ups;
mod keys;
mod payments;
mod revocations;
mod rules;

pub(crate) use batches::{
    AnsweredBatch, BatchRow, Counts, RequestedBatch, batch, batches, insert_requested_batches,
    upsert_answered_batches,
};
pub(crate) use cursors::{Range, advance_cursor, cursor};
pub(crate) use follow_ups::{FollowUpFilter, FollowUpRow, follow_ups, insert_follow_ups};
pub(crate) use keys::{SigningKey, insert_keys, keys};
pub(crate) use payments::{
    DecidedRow, Filter, ProgressRow, RequestedRow, Row, RowKind, insert_requested, payment,
    payments, payments_with_id, update_progress, upsert_decided,
};
pub(crate) use revocations::{RevokedRow, insert_revocations, revocations};
pub(crate) use rules::{RaisedRow, insert_raised, rules};
