//! The loop that speaks to the broker: it announces the signing key, then gives every service account its consumer.
//!
//! ```text
//! key in the database ──► request in REQUESTS ──► answer N in SETTLEMENTS ──► announced_seq = N ──► ready
//! ```
//! Until then no token is issued, so a reader of the log meets the key before its first token. Dying anywhere in
//! between is harmless: the next start announces again, and the ledger answers that it is a duplicate. When the broker
//! or the ledger is away, auth waits. Only a rejection ends the service, because waiting does not mend it.

use std::collections::HashSet;
use std::convert::Infallible;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use async_nats::ConnectErrorKind;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::{self, stream::ConsumerError};
use common::broker;
use common::broker::{Answers, PublishError, Publisher};
use common::kinds::Answer;
use common::kinds::trust::AnnounceKey;
use common::kinds::trust::KeyStatus;
use common::message::Stored;
use common::service;
use common::token::Scope;
use common::wire;
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::keys::SigningKey;
use crate::store::SERVICE_ACCOUNT_CHANNEL;
use crate::tokens::{self, Subject};
use crate::{Auth, store};

/// Who announces keys.
const CLIENT_ID: &str = "auth";
/// Between two tries; doubled from the first to the second. A start of everything at once takes a second or two.
const RETRY_DELAY_MIN: Duration = Duration::from_millis(50);
const RETRY_DELAY_MAX: Duration = Duration::from_secs(2);
/// How long one wait for the ledger's answer lasts before it is noted in the log and begun again.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Accounts are looked through this often even without a notification: the database's connection may have been away, or
/// the broker may have lost the consumers.
const ACCOUNTS_CHECK_INTERVAL: Duration = Duration::from_secs(30);
/// Settlements that a subscriber may hold unacknowledged: one full batch of the ledger.
const ACK_PENDING_MAX: i64 = 1000;

/// Announces, says `ready`, and serves service accounts until it is dropped.
///
/// # Errors
/// When the broker refuses the login, or the ledger the key.
pub(crate) async fn run(
    auth: &Auth,
    broker: &broker::Config,
    ready: &watch::Sender<bool>,
    stop: &CancellationToken,
) -> anyhow::Result<Infallible> {
    let client = connect(broker).await?;
    let jetstream = broker::jetstream(&client);
    let streams = Streams {
        config: broker.clone(),
        publisher: Publisher::new(broker),
        jetstream: jetstream.clone(),
        stop: stop.clone(),
    };
    let mut backoff = Backoff::new();
    let mut told = None;
    loop {
        match announce(auth, &streams, &mut told).await {
            Ok(()) => break,
            Err(Failure::Refused(error)) => return Err(error),
            Err(Failure::Away(error)) => {
                backoff
                    .wait("the signing key is not announced yet", &error)
                    .await;
            }
        }
    }
    let mut backoff = Backoff::new();
    loop {
        let serving = serve_accounts(&auth.pool, &jetstream, ready, ACCOUNTS_CHECK_INTERVAL);
        let error = match serving.await {
            Ok(never) => match never {},
            Err(error) => error,
        };
        backoff
            .wait("service accounts have to wait for their consumers", &error)
            .await;
    }
}

/// The first connection; from then on the client reconnects by itself.
async fn connect(config: &broker::Config) -> anyhow::Result<async_nats::Client> {
    let mut backoff = Backoff::new();
    loop {
        let error = match broker::connect(config).await {
            Ok(client) => return Ok(client),
            Err(error) => error,
        };
        match error.kind() {
            ConnectErrorKind::Io | ConnectErrorKind::TimedOut | ConnectErrorKind::Dns => {
                backoff.wait("the broker is not there", &error.into()).await;
            }
            ConnectErrorKind::ServerParse
            | ConnectErrorKind::Authentication
            | ConnectErrorKind::AuthorizationViolation
            | ConnectErrorKind::Tls
            | ConnectErrorKind::MaxReconnects => {
                return Err(error).context(
                    "the broker does not let auth in; check QUITTANCE_NATS_URL, _USER, _PASSWORD and _CA",
                );
            }
        }
    }
}

/// The two streams.
struct Streams {
    config: broker::Config,
    publisher: Publisher,
    jetstream: jetstream::Context,
    stop: CancellationToken,
}

/// Why a key is not announced.
enum Failure {
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
async fn announce(auth: &Auth, streams: &Streams, told: &mut Option<u64>) -> Result<(), Failure> {
    let key = &auth.key;
    if let Some(sequence) = store::announced_seq(&auth.pool, &key.kid).await? {
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
        _ => streams.publish(key).await?,
    };
    *told = Some(sequence);
    streams.wait_until_noted(&key.kid, sequence).await?;
    store::set_announced_seq(&auth.pool, &key.kid, i64::try_from(sequence)?).await?;
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
    async fn publish(&self, key: &SigningKey) -> Result<u64, PublishError> {
        let body = AnnounceKey {
            kid: key.kid.clone(),
            issuer: key.issuer.clone(),
            n: key.n.clone(),
            e: key.e.clone(),
        };
        let client_id = CLIENT_ID.parse().expect("a constant of letters");
        let subject = Subject::client(client_id, Scope::AuthAdmin.as_str().to_owned());
        // Made anew for each try: the broker may have been away for longer than a token lives.
        let token = tokens::access(key, subject, service::now());
        let ack = self
            .publisher
            .publish_one(wire::REQUESTS, body.message(&token))
            .await?;
        Ok(ack.sequence)
    }

    /// Waits for the ledger, however long that takes.
    async fn wait_until_noted(&self, kid: &str, sequence: u64) -> Result<(), Failure> {
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

fn check_noted(kid: &str, answer: &Stored) -> anyhow::Result<()> {
    let (of, status, reason) = key_answer(answer)?;
    ensure!(
        of.as_deref() == Some(kid) || status == KeyStatus::Rejected,
        "answer {} is to another key than {kid}",
        answer.sequence,
    );
    match status {
        KeyStatus::Noted | KeyStatus::Duplicate => Ok(()),
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

/// Makes the consumers that are missing, says `ready`, and goes on as accounts are made.
async fn serve_accounts(
    pool: &PgPool,
    jetstream: &jetstream::Context,
    ready: &watch::Sender<bool>,
    check_interval: Duration,
) -> anyhow::Result<Infallible> {
    let mut accounts = PgListener::connect_with(pool).await?;
    accounts.listen(SERVICE_ACCOUNT_CHANNEL).await?;
    let mut check = tokio::time::interval(check_interval);
    check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut made = HashSet::new();
    loop {
        // A notification, a lost connection or the time: each is a reason to look.
        tokio::select! {
            _ = check.tick() => {
                // A stream that was lost and begun anew has lost its consumers too.
                made.clear();
            }
            heard = accounts.try_recv() => {
                heard?;
            }
        }
        for client_id in store::service_account_ids(pool).await? {
            if !made.contains(&client_id) {
                ensure_consumer(jetstream, &client_id).await?;
                made.insert(client_id);
            }
        }
        ready.send_replace(true);
    }
}

/// The durable consumer that holds what is addressed to a service account until it has been acknowledged.
async fn ensure_consumer(
    jetstream: &jetstream::Context,
    client_id: &str,
) -> Result<(), anyhow::Error> {
    let config = pull::Config {
        durable_name: Some(client_id.to_owned()),
        filter_subject: format!("settlement.*.v1.{client_id}"),
        ack_policy: AckPolicy::Explicit,
        deliver_policy: DeliverPolicy::All,
        max_ack_pending: ACK_PENDING_MAX,
        ..pull::Config::default()
    };
    let stream = jetstream.get_stream_no_info(wire::SETTLEMENTS).await?;
    let made: Result<_, ConsumerError> = stream.create_consumer(config).await;
    made.with_context(|| format!("consumer {client_id} can't be made"))?;
    tracing::debug!(client_id, "consumer is there");
    Ok(())
}

/// Longer and longer pauses, up to a limit, and one line in the log for each.
struct Backoff(Duration);

impl Backoff {
    fn new() -> Self {
        Self(RETRY_DELAY_MIN)
    }

    async fn wait(&mut self, what: &str, error: &anyhow::Error) {
        tracing::warn!(error = format!("{error:#}"), "{what}, trying again");
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(RETRY_DELAY_MAX);
    }
}

#[cfg(test)]
mod tests {
    use async_nats::jetstream::Context;
    use common::broker;
    use common::service::{Database, Owner, migrate, open_database};
    use local::{Servers, Service, testing};

    use super::*;
    use crate::{MIGRATIONS, directory};

    async fn jetstream(servers: &Servers, user: &str) -> Context {
        let config = broker::Config {
            url: servers.nats_url(),
            user: user.to_owned(),
            password: servers.nats_password(user).to_owned(),
            ca: None,
        };
        broker::jetstream(&broker::connect(&config).await.expect("a login of ours"))
    }

    #[tokio::test]
    async fn a_consumer_that_was_lost_is_made_again() {
        let servers = testing::servers().await;
        let url = |url: String| url.parse().expect("any text");
        let client_id = "demo-shop".parse().expect("a client id");
        let database = Database {
            url: url(servers.database_url(Service::Auth)),
        };
        let owner = Owner {
            url: url(servers.owner_database_url(Service::Auth)),
        };
        migrate(&owner, &MIGRATIONS).await.expect("tables");
        let pool = open_database(&database, "auth", &MIGRATIONS)
            .await
            .expect("a database");
        directory::ensure_service_account(&pool, &client_id, &"s".repeat(32), "payments:read")
            .await
            .expect("an account");
        let ledger = jetstream(&servers, "ledger").await;
        broker::ensure_streams(&ledger, 1).await.expect("streams");
        let auth = jetstream(&servers, "auth").await;
        let (ready, _) = watch::channel(false);

        let serving = serve_accounts(&pool, &auth, &ready, Duration::from_millis(50));
        let losing = async {
            let stream = ledger.get_stream_no_info(wire::SETTLEMENTS).await?;
            // Lost once it was there: the second time proves the point.
            for _ in 0..2 {
                let lost = async || stream.delete_consumer("demo-shop").await.is_ok();
                while !lost().await {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
            anyhow::Ok(())
        };
        let losing = tokio::time::timeout(Duration::from_secs(20), losing);
        tokio::select! {
            ended = serving => panic!("it ended: {ended:?}"),
            lost = losing => lost.expect("made again in time").expect("a stream"),
        }
    }
}
