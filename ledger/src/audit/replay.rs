//! The audit: REQUESTS from sequence 1 into an empty book, through the same core that the engine uses, comparing every
//! answer with SETTLEMENTS and, at the end, every balance and the head of the hash chain with the database.
//!
//! The database is read once, at the start, in one snapshot; so a ledger may go on meanwhile.

use std::collections::BTreeMap;

use async_nats::jetstream;
use common::broker;
use common::broker::{BATCH_MESSAGES_MAX, ReadError, Reader};
use common::message::Stored;
use common::token::{CheckedTokens, Keys};
use common::wire::{REQUESTS, SETTLEMENTS};
use rust_decimal::Decimal;
use sqlx::{Connection as _, PgConnection};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use crate::core::batch::{self, Decided};
use crate::core::book::Book;
use crate::core::book::account::{Account, normal_side};
use crate::core::chain::{Chain, Cursor};
use crate::core::event::Event;
use crate::store::{self, AnswerRow, AuditedAccount};

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
    /// The broker does not let us in.
    #[error("the broker: {0}")]
    Connect(#[from] async_nats::ConnectError),
    /// The broker, asked about a stream.
    #[error("the broker: {0}")]
    Broker(#[from] jetstream::context::GetStreamError),
    /// The database.
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
}

/// Replays the whole log. `progress` hears after each batch how far it is and how far it goes.
///
/// Up to the database's cursor everything is compared; answers that were published beyond it, with those alone.
///
/// # Errors
/// When the streams or the database can't be read; a difference is no error but a [`Verdict`].
pub async fn replay(
    broker: &broker::Config,
    database: &mut PgConnection,
    progress: impl FnMut(u64, u64),
) -> Result<Verdict, ReplayError> {
    let jetstream = broker::jetstream(&broker::connect(broker).await?);
    let snapshot = Snapshot::of(database).await?;
    let cursor = snapshot.cursor;
    let requests = broker::last_sequence(&jetstream, REQUESTS).await?;
    let answers = broker::last_sequence(&jetstream, SETTLEMENTS).await?;
    if requests < cursor.seq.max(answers) {
        let seq = cursor.seq;
        let difference = format!(
            "REQUESTS ends at {requests}, SETTLEMENTS at {answers}, the database's cursor is {seq}"
        );
        return Ok(Verdict::Differs(difference));
    }
    let to = cursor.seq.max(answers);
    let mut replay = Replay {
        deciding: Deciding::start(Reader::new(broker, REQUESTS, 1), cursor.seq, to),
        answers: Answers {
            reader: Reader::new(broker, SETTLEMENTS, 1),
            read: Vec::new(),
            last: answers,
        },
        database,
        decided_in_database: cursor.seq,
        at: Cursor {
            seq: 0,
            chain: Chain::START,
        },
        settled: 0,
        to,
        progress,
    };
    let verdict = async {
        replay.run_to(cursor.seq).await?;
        let summary = {
            let book = (&mut replay.deciding.book).await;
            let book = book.expect("it is sent behind the last batch up to there");
            replay.compare_books(&book, &snapshot)?
        };
        replay.run_to(to).await?;
        Ok(Summary {
            requests: replay.at.seq,
            settled: replay.settled,
            ..summary
        })
    };
    match verdict.await {
        Ok(summary) => Ok(Verdict::Agrees(summary)),
        Err(Stop::Differs(difference)) => Ok(Verdict::Differs(difference)),
        Err(Stop::Failed(error)) => Err(error),
    }
}

/// Why a replay ends before the end.
enum Stop {
    Differs(String),
    Failed(ReplayError),
}

impl<E: Into<ReplayError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// The log decided again, ahead of and beside the comparing: that is half of the work, and there are other cores.
struct Deciding {
    batches: mpsc::Receiver<Result<Vec<Decided>, ReadError>>,
    /// The accounts and keys at the database's cursor.
    book: oneshot::Receiver<Book>,
    _task: AbortOnDropHandle<()>,
}

/// Batches that may wait to be compared.
const DECIDED_BATCHES_MAX: usize = 4;

impl Deciding {
    /// From request 1 on, to `cursor` and then to `end`.
    fn start(requests: Reader, cursor: u64, end: u64) -> Self {
        let (send, batches) = mpsc::channel(DECIDED_BATCHES_MAX);
        let (send_book, book) = oneshot::channel();
        let task = tokio::spawn(async move {
            let decided = decide_to(requests, [cursor, end], &send, send_book).await;
            if let Err(error) = decided {
                // Who does not want to hear it any more has found something else.
                drop(send.send(Err(error)).await);
            }
        });
        Self {
            batches,
            book,
            _task: AbortOnDropHandle::new(task),
        }
    }
}

async fn decide_to(
    mut requests: Reader,
    [cursor, end]: [u64; 2],
    send: &mpsc::Sender<Result<Vec<Decided>, ReadError>>,
    send_book: oneshot::Sender<Book>,
) -> Result<(), ReadError> {
    let (mut book, mut checked) = (Book::default(), CheckedTokens::default());
    let (mut seq, mut chain) = (0, Chain::START);
    let mut send_book = Some(send_book);
    for stop in [cursor, end] {
        while seq < stop {
            let left = usize::try_from(stop - seq).unwrap_or(usize::MAX);
            let mut waiting = requests.batch(left.min(BATCH_MESSAGES_MAX)).await?;
            while !waiting.is_empty() {
                let rest = waiting.split_off(batch::length(&waiting));
                let messages = std::mem::replace(&mut waiting, rest);
                let verified = batch::verify_all(&messages, &book.keys, &mut checked);
                let decided = batch::decide_all(&mut book, chain, verified);
                let last = decided.last().expect("a batch has a message");
                (seq, chain) = (last.request.at.seq, last.chain);
                if send.send(Ok(decided)).await.is_err() {
                    return Ok(());
                }
            }
        }
        if let Some(send_book) = send_book.take() {
            // Without the payment ids, which nobody compares: there is one for every payment of the log.
            let seen = Book {
                accounts: book.accounts.clone(),
                keys: book.keys.clone(),
                ..Book::default()
            };
            drop(send_book.send(seen));
        }
    }
    Ok(())
}

struct Replay<'d, P> {
    deciding: Deciding,
    answers: Answers,
    database: &'d mut PgConnection,
    decided_in_database: u64,
    at: Cursor,
    settled: u64,
    to: u64,
    progress: P,
}

impl<P: FnMut(u64, u64)> Replay<'_, P> {
    /// Replays up to request `end`, comparing each answer with the published one and with the database's.
    async fn run_to(&mut self, end: u64) -> Result<(), Stop> {
        while self.at.seq < end {
            let decided = self.deciding.batches.recv().await;
            let decided = decided.expect("it goes on to the end, or says why not")?;
            self.compare(&decided).await?;
            let settled = decided
                .iter()
                .filter(|item| item.entries().next().is_some())
                .count();
            self.settled += u64::try_from(settled).expect("a thousand at most");
            let last = decided.last().expect("a batch has a message");
            self.at = Cursor {
                seq: last.request.at.seq,
                chain: last.chain,
            };
            (self.progress)(self.at.seq, self.to);
        }
        Ok(())
    }

    /// Compares a batch with SETTLEMENTS and, as far as the database has decided it, with every column there.
    async fn compare(&mut self, decided: &[Decided]) -> Result<(), Stop> {
        let (Some(first), Some(last)) = (decided.first(), decided.last()) else {
            return Ok(());
        };
        let (first, last) = (first.request.at.seq, last.request.at.seq);
        let published = self.answers.take(first, decided.len()).await?;
        for (item, theirs) in decided.iter().zip(&published) {
            if let Some(difference) = Event::from(item).difference(theirs, SETTLEMENTS) {
                return Err(Stop::Differs(difference));
            }
        }
        let last = last.min(self.decided_in_database);
        let expected = usize::try_from((last + 1).saturating_sub(first)).unwrap_or(usize::MAX);
        let stored = store::answers(&mut *self.database, first, last).await?;
        let decided = &decided[..expected.min(decided.len())];
        if stored.len() != expected {
            let found = stored.len();
            return Err(Stop::Differs(format!(
                "the database has {found} of the answers {first} to {last}"
            )));
        }
        for (item, theirs) in decided.iter().zip(stored) {
            let ours = AnswerRow::of(item);
            if ours == theirs {
                continue;
            }
            let (seq, record) = (item.request.at.seq, theirs.record());
            let event = Event::from(item).difference(&theirs.event()?, "the database");
            return Err(Stop::Differs(event.unwrap_or_else(|| {
                let ours = ours.record();
                format!(
                    "the record of answer {seq} is {ours} by the log, but {record} in the database"
                )
            })));
        }
        let (ours, theirs) = (
            store::posting_rows(decided),
            store::postings(&mut *self.database, first, last).await?,
        );
        if ours != theirs {
            let differing = ours
                .iter()
                .zip(&theirs)
                .find(|(ours, theirs)| ours != theirs);
            let seq = differing.map_or(first.cast_signed(), |(ours, _)| ours.0);
            return Err(Stop::Differs(format!(
                "the postings of request {seq} are not what the log leads to"
            )));
        }
        Ok(())
    }

    /// At the cursor: the head of the chain, the keys, every account, and the sums.
    fn compare_books(&self, book: &Book, snapshot: &Snapshot) -> Result<Summary, Stop> {
        let Snapshot {
            cursor,
            keys,
            accounts: audited,
        } = snapshot;
        let Cursor { seq, chain } = self.at;
        if chain != cursor.chain {
            let theirs = cursor.chain;
            return Err(Stop::Differs(format!(
                "the hash chain after {seq} is {chain} by the log, but {theirs} in the database"
            )));
        }
        if keys.issuers() != book.keys.issuers() {
            let (ours, theirs) = (book.keys.issuers(), keys.issuers());
            return Err(Stop::Differs(format!(
                "the signing keys are {ours:?} by the log, but {theirs:?} in the database"
            )));
        }
        if let Some(difference) = compare_accounts(book, audited) {
            return Err(Stop::Differs(difference));
        }
        let sums = sums(book).map_err(Stop::Differs)?;
        let (settled, accounts) = (self.settled, audited.len());
        Ok(Summary {
            requests: seq,
            settled,
            accounts,
            chain: chain.to_string(),
            sums,
        })
    }
}

/// The database at one moment.
struct Snapshot {
    cursor: Cursor,
    keys: Keys,
    accounts: Vec<AuditedAccount>,
}

impl Snapshot {
    async fn of(database: &mut PgConnection) -> sqlx::Result<Self> {
        let mut tx = database
            .begin_with("begin transaction isolation level repeatable read, read only")
            .await?;
        let snapshot = Self {
            cursor: store::cursor(&mut *tx).await?,
            keys: store::keys(&mut *tx).await?,
            accounts: store::audited_accounts(&mut *tx).await?,
        };
        tx.commit().await?;
        Ok(snapshot)
    }
}

/// SETTLEMENTS, in portions of any size.
struct Answers {
    reader: Reader,
    read: Vec<Stored>,
    last: u64,
}

impl Answers {
    /// The answers from `first` on, `count` of them or as many as are published.
    async fn take(&mut self, first: u64, count: usize) -> Result<Vec<Event>, ReadError> {
        let published =
            usize::try_from((self.last + 1).saturating_sub(first)).unwrap_or(usize::MAX);
        let count = count.min(published);
        while self.read.len() < count {
            self.read
                .extend(self.reader.batch(BATCH_MESSAGES_MAX).await?);
        }
        let rest = self.read.split_off(count);
        Ok(std::mem::replace(&mut self.read, rest)
            .iter()
            .map(Event::of_message)
            .collect())
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
            common::kinds::posting::Direction::Debit => balance,
            common::kinds::posting::Direction::Credit => -balance,
        };
        *sums
            .entry(account.posted.currency().code().to_owned())
            .or_default() += signed;
    }
    if let Some((currency, sum)) = sums.iter().find(|(_, sum)| !sum.is_zero()) {
        return Err(format!("all {currency} balances sum to {sum}, not to zero"));
    }
    Ok(sums
        .into_keys()
        .map(|currency| (currency, "0".to_owned()))
        .collect())
}
