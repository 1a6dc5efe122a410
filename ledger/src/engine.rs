//! The loop: reads requests in order, has each batch verified and decided, writes it in one transaction, publishes the
//! answers. It may die at any instruction, and another may run at the same time.
//!
//! What holds that together: the answers, postings, balances and the cursor are one transaction; the cursor moves by
//! compare-and-set, so of two ledgers only one can write batch N; answers are published as one atomic batch that must
//! stand right behind what is published already, so of two ledgers only one can publish answer N. After any failure the
//! engine forgets all it knows and starts again at [`Engine::recover`], from the database and the streams.

use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream;
use common::broker::{self, BATCH_MESSAGES_MAX, PublishError, ReadError, Reader, Stored};
use common::ids::AccountId;
use common::token::CheckedTokens;
use common::wire::{REQUESTS, SETTLEMENTS};
use sqlx::postgres::{PgConnectOptions, PgPool};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::batch::{self, Decided, Event};
use crate::book::{Account, Book};
use crate::chain::request_digest;
use crate::crash::{CrashAt, CrashPoint};
use crate::decide::touched_accounts;
use crate::store::{self, Cursor};
use crate::verify::{Content, VerifiedRequest};

/// Between the failure of one try to lead and the next.
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// What the engine works with.
pub(crate) struct Engine {
    /// For the connections on which the streams are read.
    pub(crate) broker: broker::Config,
    pub(crate) client: Client,
    pub(crate) jetstream: jetstream::Context,
    pub(crate) pool: PgPool,
    /// For the connection that holds the leader's lock.
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
    pub(crate) async fn run(self, stop: CancellationToken) -> Result<(), Halt> {
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

    async fn lead(&self) -> Result<std::convert::Infallible, Failure> {
        // Held until this function ends; when its connection breaks, the compare-and-set is still there.
        let _leading = store::lead(&self.database).await?;
        broker::ensure_streams(&self.jetstream, self.stream_replicas)
            .await
            .map_err(|error| Failure::Broker(error.to_string()))?;
        let (mut cursor, published) = self.recover().await?;
        self.health.send_replace(Health::Working);
        let mut book = Book {
            keys: store::keys(&self.pool).await?,
            ..Book::default()
        };
        let mut checked = CheckedTokens::default();
        let mut requests = Reader::new(&self.broker, REQUESTS, cursor.seq + 1);
        let mut publishing: Option<Publishing> = None;
        tracing::info!(cursor = cursor.seq, published, "leading");
        loop {
            let mut waiting = tokio::select! {
                biased;
                // Nobody may come for hours: that the last answers could not be published must be seen now.
                published = Publishing::done(&mut publishing) => {
                    published?;
                    continue;
                }
                waiting = requests.batch(self.batch_max) => waiting?,
            };
            while !waiting.is_empty() {
                let mut length = batch::length(&waiting);
                if cursor.seq < published {
                    // Answered before: a batch must not reach beyond what there is to compare with.
                    length = length.min(usize::try_from(published - cursor.seq).unwrap_or(length));
                }
                let rest = waiting.split_off(length);
                let messages = std::mem::replace(&mut waiting, rest);
                let decided = self
                    .decide(&mut book, &mut checked, cursor, &messages)
                    .await?;
                let answered_before = cursor.seq < published;
                if answered_before {
                    self.compare(cursor, &decided).await?;
                }
                cursor = self.write(&book, cursor, &decided).await?;
                if answered_before {
                    tracing::info!(
                        seq = cursor.seq,
                        published,
                        "decided again what was published before"
                    );
                    continue;
                }
                if publishing.is_some() {
                    Publishing::done(&mut publishing).await?;
                }
                self.crash.here(CrashPoint::AfterCommit);
                publishing = Some(self.publish(decided.iter().map(Event::from).collect()));
            }
        }
    }

    /// Brings SETTLEMENTS up to the cursor and returns the cursor and the last published answer.
    ///
    /// Published less than decided: this process or an earlier one died in between; publish the rest from the table.
    /// Published more than decided: the database was restored from a backup; the caller decides again and compares.
    async fn recover(&self) -> Result<(Cursor, u64), Failure> {
        let cursor = store::cursor(&self.pool).await?;
        let (log, mut published) = (self.last(REQUESTS).await?, self.last(SETTLEMENTS).await?);
        if log < cursor.seq {
            return Err(Halt::LogShort {
                log,
                cursor: cursor.seq,
            }
            .into());
        }
        if log < published {
            return Err(Halt::AnswersAhead {
                settlements: published,
                log,
            }
            .into());
        }
        if let Some(decided) = store::decided_digest(&self.pool, cursor.seq).await? {
            let stored = broker::get(&self.jetstream, REQUESTS, cursor.seq).await?;
            if stored.is_none_or(|message| request_digest(&message) != decided) {
                return Err(Halt::LogReplaced(cursor.seq).into());
            }
        }
        self.compare_published(published.min(cursor.seq)).await?;
        while published < cursor.seq {
            let last = cursor
                .seq
                .min(published + u64::try_from(self.batch_max).expect("a thousand at most"));
            let events = store::answers(&self.pool, published + 1, last).await?;
            let events = events.into_iter().map(|answer| answer.event).collect();
            tracing::info!(
                first = published + 1,
                last,
                "publishing answers that were decided before"
            );
            Publishing::done(&mut Some(self.publish(events))).await?;
            published = last;
            self.crash.here(CrashPoint::BetweenBatches);
        }
        Ok((cursor, published))
    }

    async fn last(&self, stream: &str) -> Result<u64, Failure> {
        broker::last_sequence(&self.jetstream, stream)
            .await
            .map_err(|error| Failure::Broker(error.to_string()))
    }

    /// The last answer that both sides have must be the same on both.
    async fn compare_published(&self, seq: u64) -> Result<(), Failure> {
        if seq == 0 {
            return Ok(());
        }
        let ours = store::answers(&self.pool, seq, seq).await?;
        let theirs = broker::get(&self.jetstream, SETTLEMENTS, seq).await?;
        let difference = match (ours.first(), &theirs) {
            (Some(ours), Some(theirs)) => ours
                .event
                .difference(&Event::of_message(theirs), SETTLEMENTS),
            _ => Some(format!("answer {seq} is missing")),
        };
        difference.map_or(Ok(()), |difference| {
            Err(Halt::AnswerDiffers(difference).into())
        })
    }

    /// Steps 1 to 3: verifies a batch, loads what it touches and decides it.
    async fn decide(
        &self,
        book: &mut Book,
        checked: &mut CheckedTokens,
        cursor: Cursor,
        messages: &[Stored],
    ) -> Result<Vec<Decided>, Failure> {
        assert_eq!(
            messages.first().map(|message| message.sequence),
            Some(cursor.seq + 1),
            "a batch follows the cursor"
        );
        // A thousand signatures take 25 ms: that must not hold up this thread's other tasks.
        let requests =
            tokio::task::block_in_place(|| batch::verify_all(messages, &book.keys, checked));
        self.load(book, &requests).await?;
        Ok(tokio::task::block_in_place(|| {
            batch::decide_all(book, cursor.chain, requests)
        }))
    }

    async fn load(&self, book: &mut Book, requests: &[VerifiedRequest]) -> Result<(), Failure> {
        let mut accounts: Vec<AccountId> = requests.iter().flat_map(touched_accounts).collect();
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
            .collect();
        book.accounts = store::accounts(&self.pool, &accounts).await?;
        book.payments = store::used_payment_ids(&self.pool, &payments).await?;
        Ok(())
    }

    /// Step 4: one transaction, with the compare-and-set of the cursor in it.
    async fn write(
        &self,
        book: &Book,
        cursor: Cursor,
        decided: &[Decided],
    ) -> Result<Cursor, Failure> {
        let last = decided.last().expect("a batch has a message");
        let next = Cursor {
            seq: last.request.at.seq,
            chain: last.chain,
        };
        let (opened, posted) = changed_accounts(book, cursor, decided);
        let mut tx = self.pool.begin().await?;
        // First, so that an overtaken ledger waits here for the other's commit and then writes nothing.
        if !store::advance_cursor(&mut *tx, cursor, next).await? {
            return Err(Failure::Overtaken(cursor.seq + 1));
        }
        store::insert_answers(&mut *tx, decided).await?;
        store::insert_accounts(&mut *tx, &opened).await?;
        store::insert_postings(&mut *tx, decided).await?;
        store::update_balances(&mut *tx, &posted).await?;
        store::insert_keys(&mut tx, decided).await?;
        self.crash.here(CrashPoint::BeforeCommit);
        tx.commit().await?;
        Ok(next)
    }

    /// Step 5, beside the next batch's steps 1 to 4: the answers as one atomic batch, right behind the last published.
    fn publish(&self, events: Vec<Event>) -> Publishing {
        let first = events.first().expect("a batch has an answer").request_seq;
        assert!(
            events.len() <= BATCH_MESSAGES_MAX,
            "an atomic batch of {}",
            events.len()
        );
        let messages = events.into_iter().map(Event::into_message).collect();
        let client = self.client.clone();
        Publishing(tokio::spawn(async move {
            broker::publish_batch(&client, SETTLEMENTS, messages, Some(first - 1))
                .await
                .map(drop)
        }))
    }

    /// A restored database: what we decide now must be what was published then.
    async fn compare(&self, cursor: Cursor, decided: &[Decided]) -> Result<(), Failure> {
        let mut reader = Reader::new(&self.broker, SETTLEMENTS, cursor.seq + 1);
        let ours: Vec<Event> = decided.iter().map(Event::from).collect();
        let mut compared = 0;
        while compared < ours.len() {
            for published in reader.batch(ours.len() - compared).await? {
                if let Some(difference) =
                    ours[compared].difference(&Event::of_message(&published), SETTLEMENTS)
                {
                    return Err(Halt::AnswerDiffers(difference).into());
                }
                compared += 1;
            }
        }
        Ok(())
    }
}

/// The accounts that a batch opened, and those that it posted to, as they stand after it.
fn changed_accounts<'b>(
    book: &'b Book,
    cursor: Cursor,
    decided: &[Decided],
) -> (Vec<&'b Account>, Vec<&'b Account>) {
    let opened = book
        .accounts
        .values()
        .filter(|account| account.opened_seq > cursor.seq)
        .collect();
    let mut posted: Vec<AccountId> = decided
        .iter()
        .flat_map(|item| &item.entries)
        .map(|entry| entry.account)
        .collect();
    posted.sort_unstable();
    posted.dedup();
    let posted = posted
        .iter()
        .map(|id| {
            book.accounts
                .get(id)
                .expect("a posting is on an account of the book")
        })
        .collect();
    (opened, posted)
}

/// A batch of answers on its way.
struct Publishing(JoinHandle<Result<(), PublishError>>);

impl Publishing {
    /// Waits until what is on its way is published, and empties the place; for ever if nothing is.
    async fn done(on_its_way: &mut Option<Self>) -> Result<(), PublishError> {
        let Some(Self(task)) = on_its_way else {
            return std::future::pending().await;
        };
        let published = task
            .await
            .expect("publishing does not panic and is not cancelled");
        *on_its_way = None;
        published
    }
}
