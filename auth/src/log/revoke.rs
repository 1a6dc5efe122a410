//! Publishes revocations: each goes into the log until the ledger has answered it.
//!
//! ```text
//! row in the database ──► request in REQUESTS ──► answer N in SETTLEMENTS ──► noted_seq = N
//! ```
//! The row is written in the transaction that ended a login, a person, a program or a key. Dying anywhere behind it is
//! harmless: the next start publishes again, and so may two instances at once; the ledger answers that it is a duplicate.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use common::broker::Answers;
use common::kinds::Answer;
use common::kinds::revocation::{RevocationStatus, Revoke};
use common::service;
use common::token::{Audience, Scope};
use common::wire;
use sqlx::postgres::PgListener;
use tokio::time::MissedTickBehavior;

use super::{CLIENT_ID, Streams};
use crate::app::Auth;
use crate::store;
use crate::store::revocations::{REVOCATION_CHANNEL, Waiting};
use crate::tokens::{self, Subject, Terms};

/// Most revocations that are published at a time, in one atomic batch.
const BATCH_MAX: i64 = 500;
/// How long one wait for the ledger's answer lasts before the revocation is published again.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// The table is looked through this often even without a notification: the database's connection may have been away.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// Publishes what is in the table, and then what comes.
///
/// # Errors
/// When the database or the broker does not answer, or the ledger refuses a revocation: trying again may help.
pub(super) async fn run(auth: &Auth, streams: &Streams) -> anyhow::Result<Infallible> {
    let mut heard = PgListener::connect_with(&auth.pool).await?;
    heard.listen(REVOCATION_CHANNEL).await?;
    let stop = streams.stop.child_token();
    let _stop = stop.clone().drop_guard();
    let answers = Answers::start(streams.config.clone(), streams.jetstream.clone(), stop).await?;
    let mut check = tokio::time::interval(CHECK_INTERVAL);
    check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        // A notification, a lost connection or the time: each is a reason to look.
        tokio::select! {
            _ = check.tick() => {}
            notification = heard.try_recv() => drop(notification?),
        }
        loop {
            let waiting = store::revocations::waiting(&auth.pool, BATCH_MAX).await?;
            // Somebody may wait for what another instance has published.
            auth.revoked.send_replace(());
            if waiting.is_empty() {
                break;
            }
            publish(auth, streams, &answers, waiting).await?;
        }
    }
}

/// Publishes these and notes the ledger's answers.
async fn publish(
    auth: &Auth,
    streams: &Streams,
    answers: &Answers,
    waiting: Vec<Waiting>,
) -> anyhow::Result<()> {
    let client_id = CLIENT_ID.parse().expect("a constant of letters");
    let subject = Subject::client(client_id, Scope::AuthAdmin.as_str().to_owned());
    let terms = Terms::longest(Audience::Log, service::now());
    let token = tokens::access(&auth.keys.signing(), subject, terms);
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
    let last = streams
        .publisher
        .publish_batch(wire::REQUESTS, &messages, None)
        .await?
        .sequence;
    let count = u64::try_from(ids.len()).expect("at most BATCH_MAX");
    for (sequence, id) in (last + 1 - count..).zip(ids) {
        let answer = answers.wait(sequence, ANSWER_TIMEOUT).await?;
        let answer = answer.context("the ledger has not answered a revocation yet")?;
        match Answer::of_message(&answer)? {
            Answer::Revocation(answer) if answer.revocation_id == Some(id) => {
                let reason = answer.reason.map(|reason| reason.message);
                ensure!(
                    answer.status != RevocationStatus::Rejected,
                    "the ledger rejects revocation {id} (request {sequence}): {}",
                    reason.unwrap_or_default(),
                );
            }
            // By rules before 4 the ledger knows no revocations.
            other => anyhow::bail!("answer {sequence} is to no revocation: {other:?}"),
        }
        store::revocations::set_noted(&auth.pool, id, i64::try_from(sequence)?).await?;
        tracing::info!(%id, sequence, "revoked");
    }
    Ok(())
}
