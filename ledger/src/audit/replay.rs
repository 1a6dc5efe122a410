//! The audit: REQUESTS from sequence 1 into an empty book, through the same core that the engine uses, comparing every
//! answer with SETTLEMENTS and, at the end, every balance and the head of the hash chain with the database.
//!
//! The log comes from the streams or from a file; the database may be left out then. It is read once, at the start, in one
//! snapshot; so a ledger may go on meanwhile.

use std::collections::BTreeMap;
use std::path::PathBuf;

use async_nats::jetstream;
use common::broker::{self, Reader};
use common::kinds::Answer;
use common::wire::{REQUESTS, SETTLEMENTS};
use sqlx::PgConnection;

use super::compare;
use super::decided_log::DecidedLog;
use super::error::{ReplayError, Stop};
use super::published::Published;
use super::snapshot::Snapshot;
use super::source::{self, Source};
use super::trusted::Trusted;
use crate::core::batch::Decided;
use crate::core::chain::{Chain, Cursor};

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
    /// Accounts that the log opened.
    pub accounts: usize,
    /// The rules in force there.
    pub rules: u32,
    /// Head of the hash chain, in hex.
    pub chain: String,
    /// Per currency, the sum of all debit balances minus all credit balances: always zero.
    pub sums: BTreeMap<String, String>,
    /// What the log's own answers were compared with.
    pub compared: Compared,
}

/// What a replay had to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Compared {
    /// Published answers: of SETTLEMENTS, or of the file.
    pub published: u64,
    /// Answers in the database, with their postings; 0 without a database.
    pub rows: u64,
    /// Whether accounts, keys and rules were compared too. Not without a database, nor with one that is ahead of the file.
    pub books: bool,
}

/// Replays the whole log. After each batch, `progress` gets how far it is and where it ends.
///
/// Up to the database's cursor everything is compared. Beyond it, only the published answers are.
///
/// # Errors
/// When the streams or the database can't be read; a difference is a [`Verdict`], not an error.
pub async fn replay(
    broker: &broker::Config,
    database: &mut PgConnection,
    progress: impl FnMut(u64, u64),
) -> Result<Verdict, ReplayError> {
    let sources = Sources {
        jetstream: broker::jetstream(&broker::connect(broker).await?),
        requests: Reader::new(broker, REQUESTS, 1),
        settlements: Reader::of_settlements_only_reading(broker, 1),
    };
    replay_from(sources, database, progress).await
}

/// Where both logs come from, read from their first message on.
pub struct Sources {
    jetstream: jetstream::Context,
    requests: Reader,
    settlements: Reader,
}

impl Sources {
    /// With the logins of a running ledger.
    #[must_use]
    pub fn of_the_ledger(broker: &broker::Config, jetstream: jetstream::Context) -> Self {
        Self {
            jetstream,
            requests: Reader::of_requests(broker, 1),
            settlements: Reader::of_settlements_only_reading(broker, 1),
        }
    }
}

/// As [`replay`], from these sources.
///
/// # Errors
/// As [`replay`].
pub async fn replay_from(
    sources: Sources,
    database: &mut PgConnection,
    progress: impl FnMut(u64, u64),
) -> Result<Verdict, ReplayError> {
    let jetstream = sources.jetstream;
    let snapshot = Snapshot::of(database).await?;
    let cursor = snapshot.cursor.seq;
    let requests = broker::last_sequence(&jetstream, REQUESTS).await?;
    let answers = broker::last_sequence(&jetstream, SETTLEMENTS).await?;
    if requests < cursor.max(answers) {
        let difference = format!(
            "REQUESTS ends at {requests}, SETTLEMENTS at {answers}, the database's cursor is {cursor}"
        );
        return Ok(Verdict::Differs(difference));
    }
    let log = Log {
        requests: Source::Stream(Box::new(sources.requests)),
        answers: Source::Stream(Box::new(sources.settlements)),
        requests_last: cursor.max(answers),
        answers_last: answers,
        answers_place: SETTLEMENTS,
    };
    replay_log(log, Some((database, snapshot)), progress).await
}

/// As [`replay`], from a file that [`export`](super::export()) wrote. Without a database, only the answers in the file are
/// compared. A database that has decided more than the file holds is compared as far as the file goes.
///
/// # Errors
/// When the file or the database can't be read; a difference is a [`Verdict`], not an error.
pub async fn replay_file(
    path: PathBuf,
    database: Option<&mut PgConnection>,
    progress: impl FnMut(u64, u64),
) -> Result<Verdict, ReplayError> {
    let database = match database {
        Some(database) => {
            let snapshot = Snapshot::of(database).await?;
            Some((database, snapshot))
        }
        None => None,
    };
    let file = source::open(path).await?;
    let log = Log {
        requests: file.requests,
        answers: file.answers,
        requests_last: file.head.requests,
        answers_last: file.head.answers,
        answers_place: "the file",
    };
    let verdict = replay_log(log, database, progress).await?;
    if matches!(verdict, Verdict::Agrees(_)) {
        // All that the head has promised agrees; the rest of the file must be its end.
        file.end.await.expect("reading a file does not panic")?;
    }
    Ok(verdict)
}

/// A log to decide again.
struct Log {
    requests: Source,
    answers: Source,
    requests_last: u64,
    answers_last: u64,
    /// What the answers are called in a sentence.
    answers_place: &'static str,
}

async fn replay_log(
    log: Log,
    database: Option<(&mut PgConnection, Snapshot)>,
    progress: impl FnMut(u64, u64),
) -> Result<Verdict, ReplayError> {
    let to = log.requests_last;
    let (database, snapshot) = database.unzip();
    let decided_in_database = snapshot.as_ref().map_or(0, |snapshot| snapshot.cursor.seq);
    // Its books are compared where it stands; it may stand beyond a file.
    let snapshot = snapshot.filter(|snapshot| snapshot.cursor.seq <= to);
    let pause = snapshot.as_ref().map_or(to, |snapshot| snapshot.cursor.seq);
    let compared = Compared {
        published: log.answers_last,
        rows: decided_in_database.min(to),
        books: snapshot.is_some(),
    };
    let mut replay = Replay {
        decided: DecidedLog::start(log.requests, pause, to),
        published: Published::new(log.answers, log.answers_last),
        answers_place: log.answers_place,
        database,
        decided_in_database,
        at: Cursor {
            seq: 0,
            chain: Chain::START,
        },
        settled: 0,
        trusted: Trusted::at_the_beginning(),
        to,
        progress,
    };
    let verdict = async {
        replay.run_to(pause).await?;
        let book = (&mut replay.decided.book).await;
        let book = book.expect("it is sent behind the last batch up to there");
        if let Some(snapshot) = &snapshot {
            compare::books(replay.at, &book, &replay.trusted, snapshot)?;
        }
        let (accounts, rules) = (book.accounts.len(), book.rules.number());
        let sums = compare::sums(&book)?;
        drop(book);
        replay.run_to(to).await?;
        Ok(Summary {
            requests: replay.at.seq,
            settled: replay.settled,
            accounts,
            rules,
            chain: replay.at.chain.to_string(),
            sums,
            compared,
        })
    };
    match verdict.await {
        Ok(summary) => Ok(Verdict::Agrees(summary)),
        Err(Stop::Differs(difference)) => Ok(Verdict::Differs(difference)),
        Err(Stop::Failed(error)) => Err(error),
    }
}

struct Replay<'d, P> {
    decided: DecidedLog,
    published: Published,
    answers_place: &'static str,
    database: Option<&'d mut PgConnection>,
    decided_in_database: u64,
    at: Cursor,
    settled: u64,
    trusted: Trusted,
    to: u64,
    progress: P,
}

impl<P: FnMut(u64, u64)> Replay<'_, P> {
    /// Replays up to request `end`, comparing each answer with the published one and with the database's.
    async fn run_to(&mut self, end: u64) -> Result<(), Stop> {
        while self.at.seq < end {
            let decided = self.decided.batches.recv().await;
            let decided = decided.expect("it goes on to the end, or says why not")?;
            self.compare(&decided).await?;
            self.settled += decided.iter().map(settled).sum::<u64>();
            self.trusted.note(&decided);
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
        let Some(first) = decided.first() else {
            return Ok(());
        };
        let first = first.request.at.seq;
        let in_database = (self.decided_in_database + 1).saturating_sub(first);
        let in_database = usize::try_from(in_database).unwrap_or(usize::MAX);
        let in_database = &decided[..in_database.min(decided.len())];
        let rows = async {
            match &mut self.database {
                Some(database) => compare::rows(database, in_database).await,
                None => Ok(()),
            }
        };
        // Side by side: the broker and the database are two servers.
        let (published, rows) = tokio::join!(self.published.take(first, decided.len()), rows);
        compare::published(decided, &published?, self.answers_place)?;
        rows
    }
}

/// How many payments a request settled.
fn settled(item: &Decided) -> u64 {
    match &item.answer {
        Answer::Bulk(batch) => u64::from(batch.settled),
        _ => u64::from(item.entries().next().is_some()),
    }
}
