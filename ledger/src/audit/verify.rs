//! The books against themselves and against SETTLEMENTS, without deciding anything again.
//!
//! Every answer follows the one before in the hash chain, says what its columns say, booked what it says and sums to zero,
//! and is published like that; every batch used up the ids, and every reversal is of the payment or transaction, and the
//! amount, that its answer says; the tree of receipts is that of the answers, and so is every root that was signed; every account has its
//! postings without a gap, each with the balance that follows from the one before; every account was opened by an answer,
//! blocks and limits what answers say, and is within its limit. The first fault ends it.
//!
//! What a replay finds besides, needs the requests: whether the answers are those that the rules lead to.

mod accounts;
mod answers;
mod batches;
mod controls;
mod postings;
mod reversals;
mod tree;

use std::collections::BTreeMap;

use common::broker::{self, Reader};
use common::wire::SETTLEMENTS;
use rust_decimal::Decimal;
use sqlx::{Connection as _, PgConnection};

use super::error::{ReplayError, Stop};
use super::published::Published;
use super::source::Source;
use crate::store;

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verified {
    /// Everything holds together.
    Sound(Soundness),
    /// The first thing that does not, in a sentence that names it.
    Fault(String),
}

/// What was looked at.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Soundness {
    /// Answers, each of which follows the one before in the chain.
    pub answers: u64,
    /// Answers that were compared with SETTLEMENTS.
    pub published: u64,
    /// Postings, each of which follows the one before on its account.
    pub postings: u64,
    /// Accounts.
    pub accounts: u64,
    /// Head of the hash chain, in hex.
    pub chain: String,
    /// Per currency, the sum of all postings: always zero.
    pub sums: BTreeMap<String, String>,
}

/// What a verification is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Answers, with the chain.
    Answers,
    /// Postings, by account.
    Postings,
    /// Accounts.
    Accounts,
}

/// Verifies the database, and compares its answers with those that are published, unless there is no broker. After each
/// portion, `progress` gets how far it is in which part, and where that ends.
///
/// The database is read in one snapshot, so a ledger may go on meanwhile.
///
/// # Errors
/// When the streams or the database can't be read; a fault is a [`Verified`], not an error.
pub async fn verify(
    broker: Option<&broker::Config>,
    database: &mut PgConnection,
    mut progress: impl FnMut(Part, u64, u64),
) -> Result<Verified, ReplayError> {
    let verified = verify_all(broker, database, &mut progress).await;
    match verified {
        Ok(soundness) => Ok(Verified::Sound(soundness)),
        Err(Stop::Differs(fault)) => Ok(Verified::Fault(fault)),
        Err(Stop::Failed(error)) => Err(error),
    }
}

async fn verify_all(
    broker: Option<&broker::Config>,
    database: &mut PgConnection,
    progress: &mut impl FnMut(Part, u64, u64),
) -> Result<Soundness, Stop> {
    let mut tx = database
        .begin_with("begin transaction isolation level repeatable read, read only")
        .await?;
    let cursor = store::cursor(&mut *tx).await?;
    let published = match broker {
        None => None,
        Some(broker) => {
            let jetstream = broker::jetstream(&broker::connect(broker).await?);
            let last = broker::last_sequence(&jetstream, SETTLEMENTS).await?;
            let reader = Reader::of_settlements_only_reading(broker, 1);
            // What was decided since the snapshot is not in it.
            let last = last.min(cursor.seq);
            Some((Published::new(Source::Stream(Box::new(reader)), last), last))
        }
    };
    let (published, published_last) = published.unzip();
    let mut tree = tree::Made::start(&mut tx, cursor).await?;
    let booked = answers::check(&mut tx, cursor, published, &mut tree, &mut |at| {
        progress(Part::Answers, at, cursor.seq);
    })
    .await?;
    batches::check(&mut tx).await?;
    reversals::check(&mut tx).await?;
    tree.compare(&mut tx).await?;
    postings::check(&mut tx, cursor, booked.postings, &mut |at| {
        progress(Part::Postings, at, booked.postings);
    })
    .await?;
    let accounts = accounts::check(&mut tx, cursor, &booked.controlled, &mut |at, of| {
        progress(Part::Accounts, at, of);
    })
    .await?;
    tx.commit().await?;
    Ok(Soundness {
        answers: cursor.seq,
        published: published_last.unwrap_or(0),
        postings: booked.postings,
        accounts,
        chain: cursor.chain.to_string(),
        sums: sums(booked.sums)?,
    })
}

fn sums(sums: BTreeMap<String, Decimal>) -> Result<BTreeMap<String, String>, Stop> {
    let texts = sums.into_iter().map(|(currency, sum)| {
        if sum.is_zero() {
            Ok((currency, "0".to_owned()))
        } else {
            fault(format!(
                "all postings in {currency} sum to {sum}, not to zero"
            ))
        }
    });
    texts.collect()
}

/// The first fault.
fn fault<T>(what: String) -> Result<T, Stop> {
    Err(Stop::Differs(what))
}
