//! Announces signing keys.
//!
//! ```text
//! key in the database ──► request in REQUESTS ──► answer N in SETTLEMENTS ──► announced_seq = N ──► it may sign
//! ```
//! Until then it signs no token, so a reader of the log meets the key before its first token. The first key vouches for
//! itself, and each later one is announced under a token of the key before it. Dying anywhere in between is harmless: the
//! next start announces again, and the ledger answers that it is a duplicate. When the broker or the ledger is away, auth
//! waits. Only a rejection of the key that signs ends the service, because waiting does not mend it.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::{anyhow, bail, ensure};
use common::broker::{self, Answers, PublishError};
use common::kinds::Answer;
use common::kinds::trust::{AnnounceKey, KeyStatus};
use common::message::Stored;
use common::service;
use common::token::{Audience, Scope};
use common::wire;
use sqlx::postgres::PgListener;
use tokio::time::MissedTickBehavior;

use super::{CLIENT_ID, Streams};
use crate::app::Auth;
use crate::keys::lifecycle::State;
use crate::store;
use crate::store::keys::{SIGNING_KEY_CHANNEL, StoredKey};
use crate::tokens::{self, Subject, Terms};

/// What the reason of a rejection begins with when the token is for another audience. Source: `TokenError::Audience`.
const AUDIENCE_REJECTED: &str = "aud_rejected";
/// How long one wait for the ledger's answer lasts before it is noted in the log and begun again.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// The keys are looked through this often even without a notification: the database's connection may have been away.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// A key that the ledger refuses is announced again so much later. Each try stays in the log for ever.
const REFUSED_DELAY: Duration = Duration::from_secs(600);

/// Why a key is not announced.
pub(super) enum Failure {
    /// Somebody does not answer; trying again is the cure.
    Away(anyhow::Error),
    /// Trying again is no cure.
    Refused(anyhow::Error),
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Away(error.into())
    }
}

/// What this process has announced, in the log since this sequence.
pub(super) struct Told {
    kid: String,
    sequence: u64,
}

/// Makes sure that the keys which this process begins with are in this log, with the ledger's consent: the one that signs,
/// or vouches for others, and then the one that follows it.
pub(super) async fn announce_first(
    auth: &Auth,
    streams: &Streams,
    told: &mut Option<Told>,
) -> Result<(), Failure> {
    let voucher = auth.keys.ring.voucher();
    let keys = store::keys::all(&auth.pool).await?;
    let is_voucher = |key: &&StoredKey| key.kid == voucher.kid;
    let is_next = |key: &&StoredKey| key.state == State::Pending.as_str() && !is_voucher(key);
    for key in keys
        .iter()
        .filter(is_voucher)
        .chain(keys.iter().filter(is_next))
    {
        announce(auth, streams, key, told).await?;
    }
    Ok(())
}

/// Announces every key that is made from now on.
///
/// # Errors
/// When the database, the broker or the ledger does not answer: trying again may help.
pub(super) async fn run(auth: &Auth, streams: &Streams) -> anyhow::Result<Infallible> {
    let mut heard = PgListener::connect_with(&auth.pool).await?;
    heard.listen(SIGNING_KEY_CHANNEL).await?;
    let mut check = tokio::time::interval(CHECK_INTERVAL);
    check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = None;
    loop {
        tokio::select! {
            _ = check.tick() => {}
            notification = heard.try_recv() => drop(notification?),
        }
        while let Some(key) = unannounced(auth).await? {
            let voucher = auth.keys.ring.voucher();
            match announce(auth, streams, &key, &mut told).await {
                Ok(()) => {}
                Err(Failure::Away(error)) => return Err(error),
                Err(Failure::Refused(error)) => {
                    told = None;
                    auth.keys.keep(&auth.pool).await?;
                    // Whoever vouched for it may have been revoked meanwhile: then another does.
                    if auth.keys.ring.voucher().kid == voucher.kid {
                        tracing::error!(
                            error = format!("{error:#}"),
                            "the ledger refuses the next key"
                        );
                        tokio::time::sleep(REFUSED_DELAY).await;
                    }
                }
            }
        }
    }
}

async fn unannounced(auth: &Auth) -> sqlx::Result<Option<StoredKey>> {
    let is_new =
        |key: &StoredKey| key.state == State::Pending.as_str() && key.announced_seq.is_none();
    let keys = store::keys::all(&auth.pool).await?;
    Ok(keys.into_iter().find(is_new))
}

/// Makes sure that the key is in the log, with the ledger's consent. `told` is this process's last announcement.
async fn announce(
    auth: &Auth,
    streams: &Streams,
    key: &StoredKey,
    told: &mut Option<Told>,
) -> Result<(), Failure> {
    if let Some(sequence) = key.announced_seq {
        let sequence = u64::try_from(sequence)?;
        if streams.still_holds(&key.kid, sequence).await? {
            return Ok(());
        }
        tracing::warn!(
            kid = key.kid,
            sequence,
            "the log is not the one that the key was announced in"
        );
    }
    let mut sequence = match told {
        Some(told) if told.kid == key.kid && streams.reaches(told.sequence).await? => told.sequence,
        _ => streams.publish(auth, key, Audience::Log, told).await?,
    };
    if let Noted::OtherAudience = streams.wait_until_noted(&key.kid, sequence).await? {
        // The log's rules are older than tokens for the log.
        sequence = streams.publish(auth, key, Audience::Http, told).await?;
        if let Noted::OtherAudience = streams.wait_until_noted(&key.kid, sequence).await? {
            // They have been raised meanwhile.
            *told = None;
            return Err(Failure::Away(anyhow!("the ledger is raising its rules")));
        }
    }
    store::keys::set_announced_seq(&auth.pool, &key.kid, i64::try_from(sequence)?).await?;
    tracing::info!(kid = key.kid, sequence, "signing key announced");
    Ok(())
}

impl Streams {
    /// Whether the announcement is where it was. A log that was lost and begun anew is shorter, or holds something else
    /// there.
    async fn still_holds(&self, kid: &str, sequence: u64) -> Result<bool, Failure> {
        if !self.reaches(sequence).await? {
            return Ok(false);
        }
        match broker::get(&self.jetstream, wire::SETTLEMENTS, sequence).await? {
            Some(answer) => {
                Ok(key_answer(&answer).is_ok_and(|(of, ..)| of.as_deref() == Some(kid)))
            }
            // Settlements may be lost and are then published again from the ledger's database.
            None => Ok(true),
        }
    }

    async fn reaches(&self, sequence: u64) -> Result<bool, Failure> {
        Ok(broker::last_sequence(&self.jetstream, wire::REQUESTS).await? >= sequence)
    }

    /// Publishes the announcement and returns its sequence.
    async fn publish(
        &self,
        auth: &Auth,
        key: &StoredKey,
        audience: Audience,
        told: &mut Option<Told>,
    ) -> Result<u64, PublishError> {
        let body = AnnounceKey {
            kid: key.kid.clone(),
            issuer: key.issuer.clone(),
            n: key.n.clone(),
            e: key.e.clone(),
        };
        let client_id = CLIENT_ID.parse().expect("a constant of letters");
        let subject = Subject::client(client_id, Scope::AuthAdmin.as_str().to_owned());
        let voucher = auth.keys.ring.voucher();
        // Made anew for each try: the broker may have been away for longer than a token lives.
        let token = tokens::access(&voucher, subject, Terms::longest(audience, service::now()));
        let ack = self
            .publisher
            .publish_one(wire::REQUESTS, body.message(&token))
            .await?;
        *told = Some(Told {
            kid: key.kid.clone(),
            sequence: ack.sequence,
        });
        Ok(ack.sequence)
    }

    /// Waits for the ledger, however long that takes.
    async fn wait_until_noted(&self, kid: &str, sequence: u64) -> Result<Noted, Failure> {
        // Answers are read until this one is there.
        let stop = self.stop.child_token();
        let _stop = stop.clone().drop_guard();
        let answers = Answers::start(self.config.clone(), self.jetstream.clone(), stop).await?;
        let answer = loop {
            match answers.wait(sequence, ANSWER_TIMEOUT).await? {
                Some(answer) => break answer,
                None => tracing::warn!(
                    sequence,
                    "waiting for the ledger to answer the announcement of the key"
                ),
            }
        };
        check_noted(kid, &answer).map_err(Failure::Refused)
    }
}

/// What the ledger says of an announcement.
enum Noted {
    Yes,
    /// The token was for the audience that the rules of this log do not know.
    OtherAudience,
}

fn check_noted(kid: &str, answer: &Stored) -> anyhow::Result<Noted> {
    let (of, status, reason) = key_answer(answer)?;
    ensure!(
        of.as_deref() == Some(kid) || status == KeyStatus::Rejected,
        "answer {} is to another key than {kid}",
        answer.sequence,
    );
    match status {
        KeyStatus::Noted | KeyStatus::Duplicate => Ok(Noted::Yes),
        KeyStatus::Rejected if reason.starts_with(AUDIENCE_REJECTED) => Ok(Noted::OtherAudience),
        KeyStatus::Rejected => bail!(
            "the ledger rejects signing key {kid} (request {}: {reason}). If it knows another first key, this database \
             and the log do not belong together: restore auth's database from the backup that belongs to the log. If \
             it is about time, set the clocks of this machine and the broker's and start again in two minutes",
            answer.sequence,
        ),
    }
}

/// The key, the outcome and the reason of an answer to an announcement.
fn key_answer(answer: &Stored) -> anyhow::Result<(Option<String>, KeyStatus, String)> {
    match Answer::of_message(answer) {
        Ok(Answer::Key(key)) => {
            let reason = key.reason.map(|reason| reason.message).unwrap_or_default();
            Ok((key.kid, key.status, reason))
        }
        other => bail!(
            "answer {} is to no announcement of a key: {other:?}",
            answer.sequence
        ),
    }
}
