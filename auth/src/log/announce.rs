//! Announces the signing key.
//!
//! ```text
//! key in the database ──► request in REQUESTS ──► answer N in SETTLEMENTS ──► announced_seq = N ──► ready
//! ```
//! Until then no token is issued, so a reader of the log meets the key before its first token. Dying anywhere in
//! between is harmless: the next start announces again, and the ledger answers that it is a duplicate. When the broker
//! or the ledger is away, auth waits. Only a rejection ends the service, because waiting does not mend it.

use std::time::Duration;

use anyhow::{anyhow, bail, ensure};
use common::broker::{self, Answers, PublishError};
use common::kinds::Answer;
use common::kinds::trust::{AnnounceKey, KeyStatus};
use common::message::Stored;
use common::service;
use common::token::{Audience, Scope};
use common::wire;

use super::{CLIENT_ID, Streams};
use crate::app::Auth;
use crate::keys::SigningKey;
use crate::store;
use crate::tokens::{self, Subject, Terms};

/// What the reason of a rejection begins with when the token is for another audience. Source: `TokenError::Audience`.
const AUDIENCE_REJECTED: &str = "aud_rejected";
/// How long one wait for the ledger's answer lasts before it is noted in the log and begun again.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

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

/// Makes sure that the key is in the log, with the ledger's consent. `told` is the sequence of this process's own
/// announcement.
pub(super) async fn announce(
    auth: &Auth,
    streams: &Streams,
    told: &mut Option<u64>,
) -> Result<(), Failure> {
    let key = &*auth.keys.signing();
    if let Some(sequence) = store::keys::announced_seq(&auth.pool, &key.kid).await? {
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
    let sequence = match *told {
        Some(sequence) if streams.reaches(sequence).await? => sequence,
        _ => streams.publish(key, Audience::Log).await?,
    };
    *told = Some(sequence);
    let sequence = match streams.wait_until_noted(&key.kid, sequence).await? {
        Noted::Yes => sequence,
        // The log's rules are older than tokens for the log.
        Noted::OtherAudience => {
            let sequence = streams.publish(key, Audience::Http).await?;
            *told = Some(sequence);
            match streams.wait_until_noted(&key.kid, sequence).await? {
                Noted::Yes => sequence,
                // They have been raised meanwhile.
                Noted::OtherAudience => {
                    *told = None;
                    return Err(Failure::Away(anyhow!("the ledger is raising its rules")));
                }
            }
        }
    };
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
    async fn publish(&self, key: &SigningKey, audience: Audience) -> Result<u64, PublishError> {
        let body = AnnounceKey {
            kid: key.kid.clone(),
            issuer: key.issuer.clone(),
            n: key.n.clone(),
            e: key.e.clone(),
        };
        let client_id = CLIENT_ID.parse().expect("a constant of letters");
        let subject = Subject::client(client_id, Scope::AuthAdmin.as_str().to_owned());
        // Made anew for each try: the broker may have been away for longer than a token lives.
        let token = tokens::access(key, subject, Terms::longest(audience, service::now()));
        let ack = self
            .publisher
            .publish_one(wire::REQUESTS, body.message(&token))
            .await?;
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
