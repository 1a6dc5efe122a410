//! What people ask the ledger.

mod accounts;

pub(crate) use accounts::{State, routes};
