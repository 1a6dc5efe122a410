//! The audit: REQUESTS from sequence 1 into an empty book, through the same core that the engine uses, comparing every
//! answer with SETTLEMENTS and, at the end, every balance and the head of the hash chain with the database.
//!
//! The database is read once, at the start, in one snapshot; so a ledger may go on meanwhile.

use std::collections::BTreeMap;

use async_nats::jetstream;
use common::broker::{self, BATCH_MESSAGES_MAX, ReadError, Reader, Stored};
use common::wire::{REQUESTS, SETTLEMENTS};
use rust_decimal::Decimal;
use sqlx::{Connection as _, PgConnection};

use crate::batch::{self, Event};
use crate::book::{Account, Book, normal_side};
use crate::chain::Chain;
use crate::store::{self, AuditedAccount, Cursor};

/// What a replay found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Everything is as the log says.
    Agrees(Summary),
    /// The first thing that is not, in a sentence that names it.
    Differs(String),
}

/// What agreed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// Requests replayed, and as many answers compared.
    pub requests: u64,
    /// Payments that were settled.
    pub settled: u64,
    /// Accounts whose balances were compared.
    pub accounts: usize,
    /// Head of the hash chain, in hex.
    pub chain: String,
    /// Per currency, the sum of all debit balances minus all credit balances: always zero.
    pub sums: BTreeMap<String, String>,
}

/// Why a replay could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The broker.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The broker, asked about a stream.
    #[error("the broker: {0}")]
    Broker(#[from] jetstream::context::GetStreamError),
    /// The database.
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
}

/// Replays the whole log up to the database's cursor. `progress` hears after each batch how far it is and how far it goes.
///
/// # Errors
/// When the streams or the database can't be read; a difference is no error but a [`Verdict`].
pub async fn replay(
    jetstream: &jetstream::Context,
    database: &mut PgConnection,
    mut progress: impl FnMut(u64, u64),
) -> Result<Verdict, ReplayError> {
    let (cursor, audited) = snapshot(database).await?;
    for (stream, last) in [
        (REQUESTS, broker::last_sequence(jetstream, REQUESTS).await?),
        (
            SETTLEMENTS,
            broker::last_sequence(jetstream, SETTLEMENTS).await?,
        ),
    ] {
        if last < cursor.seq {
            let seq = cursor.seq;
            return Ok(Verdict::Differs(format!(
                "{stream} ends at {last}, the database has decided {seq} requests"
            )));
        }
    }
    let mut requests = Reader::new(jetstream.clone(), REQUESTS, 1);
    let mut settlements = Settlements {
        reader: Reader::new(jetstream.clone(), SETTLEMENTS, 1),
        read: Vec::new(),
    };
    let mut book = Book::default();
    let mut at = Cursor {
        seq: 0,
        chain: Chain::START,
    };
    let mut settled = 0;
    while at.seq < cursor.seq {
        let left = usize::try_from(cursor.seq - at.seq).unwrap_or(usize::MAX);
        let mut waiting = requests.batch(left.min(BATCH_MESSAGES_MAX)).await?;
        while !waiting.is_empty() {
            let rest = waiting.split_off(batch::length(&waiting));
            let messages = std::mem::replace(&mut waiting, rest);
            let verified = batch::verify_all(&messages, &book.keys);
            let decided = batch::decide_all(&mut book, at.chain, verified);
            for (item, published) in decided.iter().zip(settlements.take(decided.len()).await?) {
                if let Some(difference) = Event::from(item).difference(&published) {
                    return Ok(Verdict::Differs(difference));
                }
                settled += u64::from(!item.entries.is_empty());
            }
            let last = decided.last().expect("a batch has a message");
            at = Cursor {
                seq: last.request.at.seq,
                chain: last.chain,
            };
        }
        progress(at.seq, cursor.seq);
    }
    if at.chain != cursor.chain {
        let (ours, theirs) = (at.chain, cursor.chain);
        return Ok(Verdict::Differs(format!(
            "the head of the hash chain is {ours}, the database has {theirs}"
        )));
    }
    if let Some(difference) = compare_accounts(&book, &audited) {
        return Ok(Verdict::Differs(difference));
    }
    Ok(sums(&book).map_or_else(Verdict::Differs, |sums| {
        let (requests, accounts) = (at.seq, audited.len());
        Verdict::Agrees(Summary {
            requests,
            settled,
            accounts,
            chain: at.chain.to_string(),
            sums,
        })
    }))
}

async fn snapshot(database: &mut PgConnection) -> sqlx::Result<(Cursor, Vec<AuditedAccount>)> {
    let mut tx = database
        .begin_with("begin transaction isolation level repeatable read, read only")
        .await?;
    let cursor = store::cursor(&mut *tx).await?;
    let accounts = store::audited_accounts(&mut *tx).await?;
    tx.commit().await?;
    Ok((cursor, accounts))
}

/// SETTLEMENTS, in portions of any size.
struct Settlements {
    reader: Reader,
    read: Vec<Stored>,
}

impl Settlements {
    async fn take(&mut self, count: usize) -> Result<Vec<Stored>, ReadError> {
        while self.read.len() < count {
            self.read
                .extend(self.reader.batch(BATCH_MESSAGES_MAX).await?);
        }
        let rest = self.read.split_off(count);
        Ok(std::mem::replace(&mut self.read, rest))
    }
}

fn compare_accounts(book: &Book, audited: &[AuditedAccount]) -> Option<String> {
    for AuditedAccount {
        account,
        postings_sum,
    } in audited
    {
        let id = account.id;
        let Some(replayed) = book.accounts.get(&id) else {
            return Some(format!(
                "account {id} is in the database, but no request opened it"
            ));
        };
        if account != replayed {
            return Some(format!(
                "account {id} is {}; the log makes it {}",
                facts(account),
                facts(replayed)
            ));
        }
        if *postings_sum != account.posted.amount() {
            let posted = account.posted;
            return Some(format!(
                "account {id} has posted {posted}, but its postings sum to {postings_sum}"
            ));
        }
    }
    let found: std::collections::HashSet<_> =
        audited.iter().map(|audited| audited.account.id).collect();
    let missing = book
        .accounts
        .keys()
        .filter(|id| !found.contains(id))
        .min()?;
    Some(format!(
        "account {missing} was opened, but is not in the database"
    ))
}

fn facts(account: &Account) -> String {
    let Account {
        owner,
        posted,
        held,
        overdraft_limit,
        status,
        ..
    } = account;
    let (currency, status) = (posted.currency(), status.as_str());
    format!(
        "posted {posted} {currency}, held {held}, overdraft {overdraft_limit}, {status}, owned by {owner}"
    )
}

/// Debit balances minus credit balances per currency: zero, or money came from nowhere.
fn sums(book: &Book) -> Result<BTreeMap<String, String>, String> {
    let mut sums: BTreeMap<String, Decimal> = BTreeMap::new();
    for account in book.accounts.values() {
        let balance = account.posted.amount();
        let signed = match normal_side(account.category) {
            common::answer::Direction::Debit => balance,
            common::answer::Direction::Credit => -balance,
        };
        *sums
            .entry(account.posted.currency().code().to_owned())
            .or_default() += signed;
    }
    if let Some((currency, sum)) = sums.iter().find(|(_, sum)| !sum.is_zero()) {
        return Err(format!("all {currency} balances sum to {sum}, not to zero"));
    }
    Ok(sums
        .into_iter()
        .map(|(currency, _)| (currency, "0".to_owned()))
        .collect())
}
