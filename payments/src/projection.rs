//! The loops that listen: read SETTLEMENTS, and as much of REQUESTS as is needed, into PostgreSQL, batch by batch.
//!
//! An answer says all about its payment, so a request that is answered in time is never read here: its row is written
//! once, whole, from the answer. Only requests that stay unanswered for a moment, or that somebody asks for now, are read
//! and become pending rows. [`cursors`] says which requests have left a row.
//!
//! Each log has a cursor in the database. A batch is one transaction: the cursor moves from the place before the batch
//! to its end, and the rows change. So a death at any instruction loses nothing and repeats nothing; and when two
//! instances run, the one whose cursor has been moved by the other rolls back and reads on from there.
//!
//! The two logs are not in step; [`rows`] says why that does not matter. Unreadable messages are passed over: the
//! ledger has rejected them. A gap in a log stops everything.

mod activity;
mod batches;
mod cursors;
mod error;
mod measures;
mod progress;
mod retry;
mod rows;
mod traced;
mod trust;

mod learnt;
mod write;

mod follow;

pub(crate) use activity::Second;
pub(crate) use cursors::Log;
pub(crate) use learnt::Projection;
