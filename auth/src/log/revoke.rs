//! Publishes revocations: each goes into the log at once, and is done when the ledger has answered it.
//!
//! ```text
//! row in the database ──► request in REQUESTS ──► answer N in SETTLEMENTS ──► noted_seq = N
//! ```
//! The row is written in the transaction that ended a login, a person, a program or a key. Dying anywhere behind it is
//! harmless: the next start publishes again, and so may two instances at once; the ledger answers that it is a duplicate.
//! A revocation counts from its place in the log, so none waits for the answer to another: also while the ledger is away,
//! what is published behind it will be refused.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::time::Duration;

use common::broker::{self, Answers, ReadError};
use common::kinds::Answer;
use common::kinds::revocation::{RevocationStatus, Revoke};
use common::message::Stored;
use common::service;
use common::token::{Audience, Scope, Target};
use common::wire;
use sqlx::postgres::PgListener;
use tokio::time::{Instant, MissedTickBehavior};
use uuid::Uuid;

use super::{CLIENT_ID, Streams};
use crate::app::Auth;
use crate::keys::SigningKey;
use crate::store;
use crate::store::revocations::REVOCATION_CHANNEL;
use crate::tokens::{self, Subject, Terms};

/// Most revocations that are published, or noted, at a time: in one atomic batch, and one statement.
const BATCH_MAX: usize = 500;
/// How long one wait for the ledger's answer lasts before it is noted in the log and begun again.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// The table is looked through this often even without a notification: the database's connection may have been away.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// A revocation that the ledger refuses is published again so much later: its rules may have been raised by then. Each try
/// stays in the log for ever.
const REFUSED_DELAY: Duration = Duration::from_secs(600);

/// What this process has published.
#[derive(Default)]
struct Published {
    /// By sequence; not answered yet.
    waiting: BTreeMap<u64, Told>,
    /// The ledger did not take these.
    refused: HashMap<Uuid, Instant>,
}

/// A revocation in the log.
struct Told {
    id: Uuid,
    /// The key that signed its token.
    kid: String,
}

impl Published {
    /// Those that are not to be published now.
    fn ids(&mut self) -> Vec<Uuid> {
        self.refused.retain(|_, at| at.elapsed() < REFUSED_DELAY);
        let waiting = self.waiting.values().map(|told| told.id);
        waiting.chain(self.refused.keys().copied()).collect()
    }
}

/// Publishes what is in the table, and then what comes.
///
/// # Errors
/// When the database or the broker does not answer: trying again may help.
pub(super) async fn run(auth: &Auth, streams: &Streams) -> anyhow::Result<Infallible> {
    let mut heard = PgListener::connect_with(&auth.pool).await?;
    heard.listen(REVOCATION_CHANNEL).await?;
    let stop = streams.stop.child_token();
    let _stop = stop.clone().drop_guard();
    let answers = Answers::start(streams.config.clone(), streams.jetstream.clone(), stop).await?;
    let mut check = tokio::time::interval(CHECK_INTERVAL);
    check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut published = Published::default();
    loop {
        // A notification, a lost connection, the time, an answer: each is a reason to look.
        tokio::select! {
            _ = check.tick() => {}
            notification = heard.try_recv() => drop(notification?),
            answered = next_answer(&answers, &published.waiting) => {
                note(auth, streams, &mut published, answered?).await?;
            }
        }
        publish_waiting(auth, streams, &mut published).await?;
        // Somebody may wait for what this or another instance has published.
        auth.revoked.send_replace(());
    }
}

/// The answer to the first of these; none comes while there are none.
async fn next_answer(
    answers: &Answers,
    waiting: &BTreeMap<u64, Told>,
) -> Result<(u64, Stored), ReadError> {
    let Some((sequence, Told { id, .. })) = waiting.first_key_value() else {
        return std::future::pending().await;
    };
    loop {
        match answers.wait(*sequence, ANSWER_TIMEOUT).await? {
            Some(answer) => return Ok((*sequence, answer)),
            None => tracing::warn!(sequence, %id, "waiting for the ledger to answer a revocation"),
        }
    }
}

/// Takes an answer over, and with it those behind it that are there: a program with thousands of mandates leads to thousands
/// of revocations, which one transaction each would hold up for minutes.
async fn note(
    auth: &Auth,
    streams: &Streams,
    published: &mut Published,
    (sequence, answer): (u64, Stored),
) -> anyhow::Result<()> {
    let mut answered = vec![(sequence, answer)];
    let behind = published.waiting.range(sequence + 1..).take(BATCH_MAX);
    for (sequence, _) in behind {
        match broker::get(&streams.jetstream, wire::SETTLEMENTS, *sequence).await? {
            Some(answer) => answered.push((*sequence, answer)),
            None => break,
        }
    }
    let (mut noted, mut refused) = (Vec::new(), Vec::new());
    for (sequence, answer) in answered {
        let Some(told) = published.waiting.remove(&sequence) else {
            continue;
        };
        if is_noted(told.id, &answer)? {
            noted.push((told.id, i64::try_from(sequence)?));
        } else {
            refused.push((told, answer));
        }
    }
    store::revocations::set_noted(&auth.pool, &noted).await?;
    for (id, sequence) in noted {
        tracing::info!(%id, sequence, "revoked");
    }
    if refused.is_empty() {
        return Ok(());
    }
    auth.keys.keep(&auth.pool).await?;
    for (Told { id, kid }, answer) in refused {
        // The key that signed its token may have been revoked: then it is published again at once, under the next.
        if auth.keys.ring.voucher().kid == kid {
            let (sequence, answer) = (answer.sequence, String::from_utf8_lossy(&answer.payload));
            tracing::error!(%id, sequence, %answer, "the ledger refuses a revocation; the tokens still pass");
            published.refused.insert(id, Instant::now());
        }
    }
    Ok(())
}

/// Whether the ledger has noted this revocation.
fn is_noted(id: Uuid, answer: &Stored) -> anyhow::Result<bool> {
    Ok(match Answer::of_message(answer)? {
        Answer::Revocation(answer) => {
            answer.revocation_id == Some(id) && answer.status != RevocationStatus::Rejected
        }
        // By rules before 4 the ledger knows no revocations.
        Answer::Payment(_)
        | Answer::Bulk(_)
        | Answer::Account(_)
        | Answer::Key(_)
        | Answer::Rules(_)
        | Answer::Unknown(_) => false,
    })
}

/// Publishes every revocation of the table that was not published by this process.
async fn publish_waiting(
    auth: &Auth,
    streams: &Streams,
    published: &mut Published,
) -> anyhow::Result<()> {
    loop {
        let known = published.ids();
        let waiting = store::revocations::waiting(&auth.pool, &known, BATCH_MAX).await?;
        if waiting.is_empty() {
            return Ok(());
        }
        let is_current = |key: &SigningKey| {
            let revoked = Target::Key {
                kid: key.kid.clone(),
            };
            waiting.iter().all(|waiting| waiting.target.0 != revoked)
        };
        if !auth.keys.ring.signing().is_some_and(|key| is_current(&key)) {
            // Another task or instance may have revoked this key, and found the next.
            auth.keys.keep(&auth.pool).await?;
        }
        let Some(key) = auth.keys.ring.signing() else {
            return Ok(());
        };
        let client_id = CLIENT_ID.parse().expect("a constant of letters");
        let subject = Subject::client(client_id, Scope::AuthAdmin.as_str().to_owned());
        let terms = Terms::longest(Audience::Log, service::now());
        let token = tokens::access(&key, subject, terms);
        let (ids, messages): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .map(|waiting| {
                let revoke = Revoke {
                    revocation_id: waiting.id,
                    target: waiting.target.0,
                    because: waiting.because,
                };
                (waiting.id, revoke.message(&token))
            })
            .unzip();
        let batch = streams
            .publisher
            .publish_batch(wire::REQUESTS, &messages, None);
        let last = batch.await?.sequence;
        let count = u64::try_from(ids.len()).expect("at most BATCH_MAX");
        let told = ids.into_iter().map(|id| Told {
            id,
            kid: key.kid.clone(),
        });
        published.waiting.extend((last + 1 - count..).zip(told));
    }
}
