//! The loop that listens: reads REQUESTS and SETTLEMENTS into PostgreSQL, batch by batch.
//!
//! Each log has a cursor in the database. A batch is one transaction: the cursor moves from the place before the batch
//! to its end, and the rows change. So a death at any instruction loses nothing and repeats nothing; and when two
//! instances run, the one whose cursor has been moved by the other rolls back and reads on from there.
//!
//! The two logs are not in step. Four rules make the order between them not matter: a settled answer overwrites
//! anything, a rejected one only what is pending, a duplicate nothing, and a request fills only an empty place.
//! What can't be read is passed over, for the ledger has rejected it; a gap in a log stops everything.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::jetstream::{self, context::GetStreamError};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use common::answer::{Answer, KeyAnswer, KeyStatus, PaymentAnswer, PaymentStatus};
use common::broker::{self, ReadError, Reader, Stored};
use common::ids::{ClientId, PaymentId};
use common::request::PaymentRequest;
use common::token::{self, Keys};
use common::wire::{self, Kind, REQUESTS, SETTLEMENTS};
use serde::Deserialize;
use sqlx::PgPool;
use tokio::sync::watch;

use crate::store;

/// Messages per transaction. Measured for the ledger (DESIGN §7): the batch is what makes it fast, and 1000 is enough.
const BATCH_MESSAGES_MAX: usize = 1000;
/// First and longest pause before the database is tried again.
const RETRY_DELAY: Duration = Duration::from_millis(100);
const RETRY_DELAY_MAX: Duration = Duration::from_secs(5);

/// One of the two logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log {
    /// What was asked.
    Requests,
    /// What was answered.
    Settlements,
}

impl Log {
    pub(crate) fn stream(self) -> &'static str {
        match self {
            Self::Requests => REQUESTS,
            Self::Settlements => SETTLEMENTS,
        }
    }
}

/// How far each log is projected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursors {
    pub(crate) requests: u64,
    pub(crate) settlements: u64,
}

impl Cursors {
    fn of(&self, log: Log) -> u64 {
        match log {
            Log::Requests => self.requests,
            Log::Settlements => self.settlements,
        }
    }

    fn set(&mut self, log: Log, sequence: u64) {
        match log {
            Log::Requests => self.requests = sequence,
            Log::Settlements => self.settlements = sequence,
        }
    }
}

/// Why the projection stopped; a person has to look at it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProjectionError {
    /// The log has a gap.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log is not the one that was projected.
    #[error(
        "stream {stream} ends at {last} but is projected up to {cursor}: the log was lost or replaced; \
         if that was meant, empty the payments database and it is projected anew"
    )]
    Shortened {
        stream: &'static str,
        last: u64,
        cursor: u64,
    },
}

/// The projection of this process: its loops, and what it has learnt.
pub(crate) struct Projection {
    pool: PgPool,
    jetstream: jetstream::Context,
    cursors: watch::Sender<Cursors>,
    keys: watch::Sender<Keys>,
}

impl Projection {
    /// Picks up where the database says.
    pub(crate) async fn open(pool: PgPool, jetstream: jetstream::Context) -> sqlx::Result<Self> {
        let mut db = pool.acquire().await?;
        let cursors = Cursors {
            requests: store::cursor(&mut db, REQUESTS).await?,
            settlements: store::cursor(&mut db, SETTLEMENTS).await?,
        };
        let keys = known_keys(store::keys(&mut db).await?);
        drop(db);
        Ok(Self {
            pool,
            jetstream,
            cursors: watch::Sender::new(cursors),
            keys: watch::Sender::new(keys),
        })
    }

    /// The keys that tokens are verified with.
    pub(crate) fn keys(&self) -> watch::Ref<'_, Keys> {
        self.keys.borrow()
    }

    /// The cursors as they move. Whatever is at or before them can be read in the database.
    pub(crate) fn cursors(&self) -> watch::Receiver<Cursors> {
        self.cursors.subscribe()
    }

    /// Waits until what stands in the log now is projected; `false` when that takes longer than `timeout`.
    pub(crate) async fn catch_up(
        &self,
        log: Log,
        timeout: Duration,
    ) -> Result<bool, GetStreamError> {
        let end = broker::last_sequence(&self.jetstream, log.stream()).await?;
        let mut cursors = self.cursors();
        let passed = cursors.wait_for(|cursors| cursors.of(log) >= end);
        Ok(matches!(
            tokio::time::timeout(timeout, passed).await,
            Ok(Ok(_))
        ))
    }

    /// Waits, however long it takes, until what stands in both logs now is projected.
    pub(crate) async fn catch_up_at_start(&self) -> bool {
        for log in [Log::Requests, Log::Settlements] {
            while !self
                .catch_up(log, Duration::from_secs(60))
                .await
                .unwrap_or_default()
            {
                tokio::time::sleep(RETRY_DELAY).await;
            }
        }
        true
    }

    /// Projects both logs; returns only when one of them can't be read on.
    pub(crate) async fn run(&self) -> Result<(), ProjectionError> {
        tokio::try_join!(self.follow(Log::Requests), self.follow(Log::Settlements)).map(drop)
    }

    async fn follow(&self, log: Log) -> Result<(), ProjectionError> {
        loop {
            let cursor = self.read_cursor(log).await;
            self.check_length(log, cursor).await?;
            let mut reader = Reader::new(self.jetstream.clone(), log.stream(), cursor + 1);
            while self
                .project(log, &reader.batch(BATCH_MESSAGES_MAX).await?)
                .await
            {}
            tracing::info!(
                stream = log.stream(),
                "another instance was faster, reading on from its cursor"
            );
        }
    }

    /// Projects a batch; `false` when another instance has moved the cursor.
    async fn project(&self, log: Log, batch: &[Stored]) -> bool {
        let (Some(first), Some(last)) = (batch.first(), batch.last()) else {
            return true;
        };
        let changes = match log {
            Log::Requests => Changes::Requested(requested(batch)),
            Log::Settlements => Changes::Answered(answered(batch)),
        };
        let range = store::Range {
            first: first.sequence,
            last: last.sequence,
        };
        let taken = retried(|| write(&self.pool, log, range, &changes)).await;
        if !taken {
            return false;
        }
        if matches!(&changes, Changes::Answered(answered) if !answered.keys.is_empty()) {
            self.learn_keys().await;
        }
        // Last: who sees the cursor there relies on everything above.
        self.cursors
            .send_modify(|cursors| cursors.set(log, range.last));
        true
    }

    async fn read_cursor(&self, log: Log) -> u64 {
        let cursor = retried(async || {
            let mut db = self.pool.acquire().await?;
            store::cursor(&mut db, log.stream()).await
        })
        .await;
        // Another instance may have projected keys.
        if log == Log::Settlements {
            self.learn_keys().await;
        }
        self.cursors.send_modify(|cursors| cursors.set(log, cursor));
        cursor
    }

    async fn learn_keys(&self) {
        let rows = retried(async || {
            let mut db = self.pool.acquire().await?;
            store::keys(&mut db).await
        })
        .await;
        self.keys.send_replace(known_keys(rows));
    }

    /// A reader that starts behind the end would wait for ever instead of telling that the log is another one.
    async fn check_length(&self, log: Log, cursor: u64) -> Result<(), ProjectionError> {
        let stream = log.stream();
        let last = loop {
            match broker::last_sequence(&self.jetstream, stream).await {
                Ok(last) => break last,
                Err(error) => {
                    tracing::warn!(%error, stream, "the log's length is unknown, asking again");
                    tokio::time::sleep(RETRY_DELAY).await;
                }
            }
        };
        if last < cursor {
            return Err(ProjectionError::Shortened {
                stream,
                last,
                cursor,
            });
        }
        Ok(())
    }
}

/// What a batch changes in the database.
enum Changes {
    Requested(Vec<store::Requested>),
    Answered(Answered),
}

#[derive(Default)]
struct Answered {
    payments: Vec<store::Decided>,
    keys: Vec<store::SigningKey>,
}

/// One transaction per batch; `false` when the cursor is not where the batch begins, and nothing has changed.
async fn write(
    pool: &PgPool,
    log: Log,
    range: store::Range,
    changes: &Changes,
) -> sqlx::Result<bool> {
    let mut tx = pool.begin().await?;
    // First, because it makes a second instance wait here until the first has committed.
    if !store::advance_cursor(&mut tx, log.stream(), range).await? {
        return Ok(false);
    }
    match changes {
        Changes::Requested(requested) => store::insert_requested(&mut tx, requested).await?,
        Changes::Answered(answered) => {
            store::upsert_decided(&mut tx, &answered.payments).await?;
            store::insert_keys(&mut tx, &answered.keys).await?;
        }
    }
    tx.commit().await?;
    Ok(true)
}

/// Tries until the database does it. A commit whose outcome is unknown is safe to repeat: the cursor tells.
async fn retried<T>(mut work: impl AsyncFnMut() -> sqlx::Result<T>) -> T {
    let mut delay = RETRY_DELAY;
    loop {
        match work().await {
            Ok(value) => return value,
            Err(error) => {
                tracing::error!(%error, ?delay, "the database failed the projection, trying again");
                tokio::time::sleep(delay).await;
                delay = (delay * 2).min(RETRY_DELAY_MAX);
            }
        }
    }
}

fn known_keys(rows: Vec<store::SigningKey>) -> Keys {
    let mut keys = Keys::default();
    for row in rows {
        if let Err(error) = keys.insert(&row.kid, &row.issuer, &row.n, &row.e) {
            tracing::error!(%error, kid = row.kid, "a noted key is not used");
        }
    }
    keys
}

/// A payment's key in the projection. Both logs' rows are written in its order, so that their transactions can't
/// wait for each other in a circle.
type PaymentKey = (ClientId, PaymentId);

/// The pending rows of a batch of REQUESTS: the first request of each payment.
fn requested(batch: &[Stored]) -> Vec<store::Requested> {
    let mut rows = BTreeMap::<PaymentKey, store::Requested>::new();
    for message in batch {
        let Kind::Payment(client_id) = Kind::of_subject(&message.subject) else {
            continue;
        };
        let Ok(request) = serde_json::from_slice::<PaymentRequest>(&message.payload) else {
            tracing::debug!(seq = message.sequence, "a payment request can't be read");
            continue;
        };
        rows.entry((client_id.clone(), request.payment_id))
            .or_insert_with(|| store::Requested {
                client_id,
                request,
                request_seq: message.sequence,
                subject: message
                    .header(wire::AUTHORIZATION)
                    .and_then(subject_claimed),
                published_at: message.published_at,
            });
    }
    rows.into_values().collect()
}

/// The `sub` that a token claims; nobody verifies it here.
fn subject_claimed(authorization: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claims {
        sub: String,
    }
    let payload = token::bearer(authorization).ok()?.split('.').nth(1)?;
    let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
    serde_json::from_slice::<Claims>(&payload)
        .ok()
        .map(|claims| claims.sub)
}

/// The decided rows and the noted keys of a batch of SETTLEMENTS.
fn answered(batch: &[Stored]) -> Answered {
    let mut payments = BTreeMap::<PaymentKey, store::Decided>::new();
    let mut keys = Vec::new();
    for message in batch {
        let ce_type = message.header(wire::CE_TYPE).unwrap_or_default();
        match Answer::from_json(ce_type, &message.payload) {
            Ok(answer) if answer.request_seq() != message.sequence => {
                let (seq, claimed) = (message.sequence, answer.request_seq());
                tracing::error!(
                    seq,
                    claimed,
                    "an answer says that it is another's, passing over it"
                );
            }
            Ok(Answer::Payment(answer)) => {
                let Some(decided) = decided(answer, &message.payload, message.published_at) else {
                    continue;
                };
                let key = (decided.client_id.clone(), decided.payment_id);
                let known = payments.get(&key).map(|known| known.status);
                if overwrites(decided.status, known) {
                    payments.insert(key, decided);
                }
            }
            Ok(Answer::Key(answer)) => keys.extend(noted(answer)),
            Ok(Answer::Account(_) | Answer::Unknown(_)) => {}
            Err(error) => {
                tracing::error!(%error, seq = message.sequence, "an answer can't be read, passing over it");
            }
        }
    }
    Answered {
        payments: payments.into_values().collect(),
        keys,
    }
}

/// The row that an answer decides; `None` when it decides nothing or says of no payment which one it is.
fn decided(
    answer: PaymentAnswer,
    body: &[u8],
    decided_at: DateTime<Utc>,
) -> Option<store::Decided> {
    let status = match answer.status {
        PaymentStatus::Settled => store::Outcome::Settled,
        PaymentStatus::Rejected => store::Outcome::Rejected,
        PaymentStatus::Duplicate => return None,
    };
    Some(store::Decided {
        client_id: answer.client_id.clone(),
        payment_id: answer.payment_id?,
        status,
        // It has been read as JSON, which is UTF-8.
        json: String::from_utf8_lossy(body).into_owned(),
        answer,
        decided_at,
    })
}

/// Whether an outcome takes the place of another of the same payment; `store::upsert_decided` says it again in SQL.
fn overwrites(new: store::Outcome, known: Option<store::Outcome>) -> bool {
    match (new, known) {
        (store::Outcome::Settled, _) | (store::Outcome::Rejected, None) => true,
        (store::Outcome::Rejected, Some(store::Outcome::Settled | store::Outcome::Rejected)) => {
            false
        }
    }
}

fn noted(answer: KeyAnswer) -> Option<store::SigningKey> {
    match answer.status {
        KeyStatus::Noted => Some(store::SigningKey {
            kid: answer.kid?,
            issuer: answer.issuer?,
            n: answer.n?,
            e: answer.e?,
        }),
        KeyStatus::Rejected | KeyStatus::Duplicate => None,
    }
}
