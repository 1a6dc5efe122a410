//! The loop: reads requests in order, has each batch verified and decided; behind it the batches before are written, in
//! one transaction each, and their answers published. It may die at any instruction, and another may run at the same time.
//!
//! What holds that together: the answers, postings, balances and the cursor are one transaction; the cursor moves by
//! compare-and-set, so of two ledgers only one can write batch N; answers are published only right behind what is
//! published already, in order, so of two ledgers only one can publish answer N. After any failure the
//! engine forgets all it knows and starts again at [`Engine::recover`], from the database and the streams.
//!
//! A batch is decided while the one before is written and the one before that is published. So the book knows more than
//! the database, and holds all of what is not committed yet ([`Deciding`]).

mod behind;
mod recover;

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use common::broker;
use common::broker::{PublishError, Publisher, ReadError, Reader};
use common::ids::AccountId;
use common::message::Stored;
use common::token::CheckedTokens;
use common::wire::REQUESTS;
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::batch::{self, Batch};
use crate::book::Book;
use crate::crash::CrashAt;
use crate::decide::touched_accounts;
use crate::store::{self, Cursor};
use crate::verify::{Content, VerifiedRequest};
use behind::Behind;

/// Between the failure of one try to lead and the next.
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// A batch is a matter of milliseconds; a database that takes so long has gone without a word.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(30);

/// What the engine works with.
pub(crate) struct Engine {
    /// For the connections on which the streams are read.
    pub(crate) broker: broker::Config,
    pub(crate) publisher: Publisher,
    pub(crate) jetstream: jetstream::Context,
    pub(crate) pool: PgPool,
    /// For the connections of a leader: one that holds its lock and writes, one that reads.
    pub(crate) database: PgConnectOptions,
    /// 1 to [`BATCH_MESSAGES_MAX`].
    pub(crate) batch_max: usize,
    pub(crate) crash: CrashAt,
    pub(crate) stream_replicas: usize,
    /// Heard by whoever asks whether the service is ready.
    pub(crate) health: watch::Sender<Health>,
}

/// How the engine does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    /// It waits for its turn to lead, or tries again after a failure.
    Waiting,
    /// It leads.
    Working,
    /// It has failed to lead [`FAILURES_MAX`] times in a row.
    Failing,
}

/// A restart of the broker or the database takes fewer tries than this.
const FAILURES_MAX: u32 = 5;

/// Why the engine stops for good: the log and the books contradict each other, and a person decides which is right.
#[derive(Debug, thiserror::Error)]
pub enum Halt {
    /// The log ends before the last decided request.
    #[error(
        "REQUESTS ends at {log} but {cursor} requests are decided: the log was lost or replaced. \
         Restore the broker's files, or restore a database that is not ahead of this log"
    )]
    LogShort {
        /// Last sequence of the log.
        log: u64,
        /// The cursor.
        cursor: u64,
    },
    /// There are more answers than requests.
    #[error(
        "SETTLEMENTS ends at {settlements} but REQUESTS at {log}: the log was lost or replaced"
    )]
    AnswersAhead {
        /// Last sequence of SETTLEMENTS.
        settlements: u64,
        /// Last sequence of the log.
        log: u64,
    },
    /// Another request stands where the last decided one stood.
    #[error("request {0} in the log is not the one that was decided: the log was replaced")]
    LogReplaced(u64),
    /// A published answer is not what these requests lead to.
    #[error("the published answers contradict the log and the books: {0}")]
    AnswerDiffers(String),
    /// A sequence is missing from the log.
    #[error(transparent)]
    Gap(ReadError),
}

/// Why one try to lead ended.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Halt(#[from] Halt),
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("the broker: {0}")]
    Broker(String),
    #[error("the database: no answer for {} s", DATABASE_TIMEOUT.as_secs())]
    Stalled,
    #[error("another ledger has decided from {0} on")]
    Overtaken(u64),
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        Self::Broker(error.to_string())
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            gap @ ReadError::Gap { .. } => Self::Halt(Halt::Gap(gap)),
            broker @ ReadError::Broker { .. } => Self::Broker(broker.to_string()),
        }
    }
}

impl Engine {
    /// Leads whenever no other ledger does, until `stop`.
    ///
    /// # Errors
    /// [`Halt`].
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) -> Result<(), Halt> {
        let mut failures = 0_u32;
        loop {
            let failure = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Err(failure) = self.lead() => failure,
            };
            match failure {
                Failure::Halt(halt) => return Err(halt),
                failure => {
                    tracing::warn!(%failure, "starting again from the database and the streams");
                    let had_worked = *self.health.borrow() == Health::Working;
                    failures = if had_worked { 1 } else { failures + 1 };
                    let is_lasting = failures >= FAILURES_MAX;
                    self.health.send_replace(if is_lasting {
                        Health::Failing
                    } else {
                        Health::Waiting
                    });
                    tokio::time::sleep(RETRY_DELAY).await;
                }
            }
        }
    }

    async fn lead(self: &Arc<Self>) -> Result<std::convert::Infallible, Failure> {
        // The lock goes with the connection that all is written through; the compare-and-set is still behind it.
        let leading = store::lead(&self.database).await?;
        broker::ensure_streams(&self.jetstream, self.stream_replicas)
            .await
            .map_err(|error| Failure::Broker(error.to_string()))?;
        let (cursor, published) = self.recover().await?;
        let mut reading = tokio::time::timeout(DATABASE_TIMEOUT, self.database.connect())
            .await
            .map_err(|_| Failure::Stalled)??;
        let book = Book {
            keys: store::keys(&mut reading).await?,
            ..Book::default()
        };
        self.health.send_replace(Health::Working);
        let mut deciding = Deciding {
            reading,
            book,
            checked: CheckedTokens::default(),
            cursor,
            uncommitted: VecDeque::new(),
        };
        let mut requests = Reader::new(&self.broker, REQUESTS, cursor.seq + 1);
        let mut behind = Behind::start(self.clone(), leading, cursor.seq, published);
        tracing::info!(cursor = cursor.seq, published, "leading");
        loop {
            let idle = behind.idle(deciding.cursor.seq);
            let mut waiting = tokio::select! {
                biased;
                // Nobody may come for hours: that the last batch could not be written or published must be seen now.
                failure = behind.failed() => return Err(failure),
                waiting = next_batch(&mut requests, self.batch_max, idle) => waiting?,
            };
            while !waiting.is_empty() {
                let mut length = batch::length(&waiting);
                let seq = deciding.cursor.seq;
                if seq < published {
                    // Answered before: a batch must not reach beyond what there is to compare with.
                    length = length.min(usize::try_from(published - seq).unwrap_or(length));
                }
                let rest = waiting.split_off(length);
                let messages = std::mem::replace(&mut waiting, rest);
                deciding.forget_committed(behind.written_up_to());
                let batch = deciding.decide(&messages).await?;
                behind.take(batch).await?;
            }
        }
    }
}

/// A batch that is worth its cost as soon as there is one, and whatever there is once everything before it is written and
/// published: taking less while that is still on its way would only make more, smaller batches, and each costs the broker
/// some files.
async fn next_batch(
    requests: &mut Reader,
    messages_max: usize,
    idle: impl Future<Output = ()>,
) -> Result<Vec<Stored>, ReadError> {
    let worth_it = messages_max.div_ceil(4);
    let large = tokio::select! {
        biased;
        large = requests.batch_of(worth_it, messages_max) => Some(large?),
        () = idle => None,
    };
    match large {
        Some(large) => Ok(large),
        None => requests.batch(messages_max).await,
    }
}

/// Accounts that the book holds between batches, so that they need not be loaded again: at about 400 bytes each, 40 MB.
const BOOK_ACCOUNTS_MAX: usize = 100_000;

/// Steps 1 to 3, ahead of the database.
///
/// The book holds every account and payment id of the batches that are not committed yet: of these it knows better than
/// the database. Other accounts stay there as the last batch left them, which is true while this is the one ledger that
/// writes; the compare-and-set of the cursor ends it otherwise.
struct Deciding {
    /// A connection of its own: the pool's would be asked whether it still works each time.
    reading: PgConnection,
    book: Book,
    checked: CheckedTokens,
    /// After the last decided batch.
    cursor: Cursor,
    /// Decided batches that are, as far as is known, not committed, in order.
    uncommitted: VecDeque<Arc<Batch>>,
}

impl Deciding {
    /// Forgets what the database knows of batches up to this sequence.
    fn forget_committed(&mut self, written: u64) {
        while let Some(batch) = self
            .uncommitted
            .pop_front_if(|batch| batch.to.seq <= written)
        {
            for item in &batch.decided {
                if let Content::Payment { token, request, .. } = &item.request.content {
                    let id = (token.claims.client_id.clone(), request.payment_id);
                    self.book.payments.remove(&id);
                }
            }
        }
        if self.book.accounts.len() > BOOK_ACCOUNTS_MAX {
            let uncommitted: HashSet<AccountId> = self
                .uncommitted
                .iter()
                .flat_map(|batch| batch.changed_accounts())
                .collect();
            self.book.accounts.retain(|id, _| uncommitted.contains(id));
        }
    }

    async fn decide(&mut self, messages: &[Stored]) -> Result<Arc<Batch>, Failure> {
        assert_eq!(
            messages.first().map(|message| message.sequence),
            Some(self.cursor.seq + 1),
            "a batch follows the cursor"
        );
        // A thousand signatures take 25 ms: that must not hold up this thread's other tasks.
        let requests = tokio::task::block_in_place(|| {
            batch::verify_all(messages, &self.book.keys, &mut self.checked)
        });
        tokio::time::timeout(DATABASE_TIMEOUT, self.load(&requests))
            .await
            .map_err(|_| Failure::Stalled)??;
        let batch = tokio::task::block_in_place(|| {
            let decided = batch::decide_all(&mut self.book, self.cursor.chain, requests);
            Arc::new(Batch::new(self.cursor, decided, &self.book))
        });
        self.cursor = batch.to;
        self.uncommitted.push_back(batch.clone());
        Ok(batch)
    }

    /// Adds what the book lacks to decide these.
    async fn load(&mut self, requests: &[VerifiedRequest]) -> Result<(), Failure> {
        let touched = requests.iter().flat_map(touched_accounts);
        let mut accounts: Vec<AccountId> = touched
            .filter(|id| !self.book.accounts.contains_key(id))
            .collect();
        accounts.sort_unstable();
        accounts.dedup();
        let payments: Vec<_> = requests
            .iter()
            .filter_map(|request| match &request.content {
                Content::Payment { token, request, .. } => {
                    Some((token.claims.client_id.clone(), request.payment_id))
                }
                Content::Account { .. } | Content::Key(_) | Content::Rejected(_) => None,
            })
            .filter(|id| !self.book.payments.contains_key(id))
            .collect();
        let accounts = store::accounts(&mut self.reading, &accounts).await?;
        self.book.accounts.extend(accounts);
        let payments = store::used_payment_ids(&mut self.reading, &payments).await?;
        self.book.payments.extend(payments);
        Ok(())
    }
}
