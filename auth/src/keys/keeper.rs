//! Keeps the keys: takes the steps that are due, in the database, and holds what this process works with.
//!
//! Several instances keep the same keys. Each step is one transaction under one lock, and looks again first, so it is taken
//! once, whoever takes it; dying before the commit leaves it to whoever looks next.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use common::http::caller::{Callers, KeySource};
use common::service;
use metrics::{counter, gauge};
use serde_json::{Value, json};
use sqlx::postgres::PgListener;
use sqlx::{PgConnection, PgPool};
use tokio::time::MissedTickBehavior;

use super::lifecycle::{self, Life, REFRESHABLE, State, Step};
use super::ring::{Believed, Held, Ring};
use super::seal::{KeyEncryptionKeys, Seal};
use super::{SigningKey, generate};
use crate::store;
use crate::store::events::{Event, names};
use crate::store::keys::{NewKey, SIGNING_KEY_CHANNEL, StoredKey};

/// The keys of this process and how they are kept.
pub(crate) struct Keeper {
    pub(crate) ring: Ring,
    pub(crate) seal: Seal,
    /// The `iss` of every token.
    pub(crate) issuer: String,
    /// How long a key signs.
    rotation: TimeDelta,
}

impl Keeper {
    /// Opens the keys; the first start makes one.
    ///
    /// # Errors
    /// When the database does not answer, a key does not open, or the issuer is not the one it was made for.
    pub(crate) async fn open(
        pool: &PgPool,
        sealed_with: &KeyEncryptionKeys,
        issuer: &str,
        rotation: TimeDelta,
    ) -> anyhow::Result<Self> {
        // A bad one is an error before the first key is made.
        let seal = sealed_with.read()?;
        advance(pool, &seal, issuer, rotation).await?;
        let held = held(&store::keys::all(pool).await?, &seal, issuer, None)?;
        tracing::info!(kid = held.voucher.kid, "signing key loaded");
        Ok(Self {
            ring: Ring::new(held),
            seal,
            issuer: issuer.to_owned(),
            rotation,
        })
    }

    /// Keys for a test, which no step is taken with.
    #[cfg(test)]
    pub(super) fn of(ring: Ring, issuer: String) -> Self {
        let sealed_with: KeyEncryptionKeys = "00".repeat(32).parse().expect("any text");
        Self {
            ring,
            seal: sealed_with.read().expect("64 hex digits"),
            issuer,
            rotation: TimeDelta::MAX,
        }
    }

    /// Takes the steps that are due, and learns what other instances have done.
    ///
    /// # Errors
    /// When the database does not answer or a key does not open.
    pub(crate) async fn keep(&self, pool: &PgPool) -> anyhow::Result<()> {
        advance(pool, &self.seal, &self.issuer, self.rotation).await?;
        let keys = store::keys::all(pool).await?;
        self.tell_when_due(&keys)?;
        let known = self.ring.voucher();
        let held = held(&keys, &self.seal, &self.issuer, Some(known))?;
        self.ring.replace(held);
        Ok(())
    }

    /// For those who watch: when the next key should sign instead of this one.
    fn tell_when_due(&self, keys: &[StoredKey]) -> anyhow::Result<()> {
        let lives = lives(keys)?;
        let signing = lives.iter().find(|life| life.state == State::Active);
        let activated_at = signing.and_then(|life| life.activated_at);
        let due = activated_at.and_then(|at| at.checked_add_signed(self.rotation));
        if let Some(due) = due {
            let due = u64::try_from(due.timestamp()).unwrap_or_default();
            gauge!("quittance_signing_key_due_timestamp_seconds").set(service::as_gauge(due));
        }
        Ok(())
    }
}

/// The keys are looked at this often even when nobody tells of a change: time itself is a reason for one.
const CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// Keeps the keys, and tells whoever judges callers, until something fails.
///
/// # Errors
/// When the database does not answer: trying again may help.
pub(crate) async fn watch(
    keeper: &Keeper,
    pool: &PgPool,
    callers: &Callers<impl KeySource>,
) -> anyhow::Result<Infallible> {
    let mut heard = PgListener::connect_with(pool).await?;
    heard.listen(SIGNING_KEY_CHANNEL).await?;
    let mut check = tokio::time::interval(CHECK_INTERVAL);
    check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = check.tick() => {}
            notification = heard.try_recv() => drop(notification?),
        }
        keeper.keep(pool).await?;
        let refreshed = callers.refresh().await;
        refreshed.map_err(|problem| anyhow!("{problem:?}"))?;
    }
}

/// Takes the steps that are due, one transaction each.
async fn advance(
    pool: &PgPool,
    seal: &Seal,
    issuer: &str,
    rotation: TimeDelta,
) -> anyhow::Result<()> {
    loop {
        // Hardly ever is anything due, and then nobody needs the lock.
        let keys = lives(&store::keys::all(pool).await?)?;
        if lifecycle::next(&keys, rotation, service::now()).is_none() {
            return Ok(());
        }
        let mut tx = pool.begin().await?;
        let now = store::keys::lock(&mut tx).await?;
        let keys = lives(&store::keys::all(&mut *tx).await?)?;
        let Some(step) = lifecycle::next(&keys, rotation, now) else {
            return Ok(());
        };
        take(&mut tx, seal, issuer, &step, now).await?;
        tx.commit().await?;
        if matches!(step, Step::Activate { .. }) {
            counter!("quittance_key_rotations_total").increment(1);
        }
        tracing::info!(?step, "keys");
    }
}

async fn take(
    tx: &mut PgConnection,
    seal: &Seal,
    issuer: &str,
    step: &Step,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    match step {
        Step::Create { activates_at } => {
            create(tx, seal, issuer, *activates_at, None, now).await?;
        }
        Step::Activate {
            kid,
            predecessor_retires_at,
        } => {
            store::keys::activate(tx, kid, *predecessor_retires_at, now).await?;
            record(tx, names::KEY_ACTIVATED, None, kid, json!({}), now).await?;
        }
        Step::Retire { kid } => {
            store::keys::retire(&mut *tx, kid).await?;
            record(tx, names::KEY_RETIRED, None, kid, json!({}), now).await?;
        }
        Step::Disown { kid } => {
            store::keys::disown(tx, kid, now).await?;
        }
    }
    Ok(())
}

pub(super) async fn create(
    tx: &mut PgConnection,
    seal: &Seal,
    issuer: &str,
    activates_at: DateTime<Utc>,
    actor: Option<&str>,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let (key, private) = generate(issuer.to_owned()).await?;
    let new = NewKey {
        kid: &key.kid,
        issuer: &key.issuer,
        n: &key.n,
        e: &key.e,
        private_sealed: &seal.seal(&key.kid, private.as_bytes())?,
        activates_at,
    };
    store::keys::insert_pending(&mut *tx, &new, now).await?;
    let detail = json!({"activates_at": activates_at});
    record(tx, names::KEY_CREATED, actor, &key.kid, detail, now).await?;
    Ok(())
}

pub(super) async fn record(
    tx: &mut PgConnection,
    what: &'static str,
    actor: Option<&str>,
    kid: &str,
    detail: Value,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    let event = Event {
        what,
        actor,
        about: Some(kid),
        detail,
    };
    store::events::record(tx, &event, now).await
}

/// What this process works with; `known` is the key that it has parsed already.
fn held(
    keys: &[StoredKey],
    seal: &Seal,
    issuer: &str,
    known: Option<Arc<SigningKey>>,
) -> anyhow::Result<Held> {
    let all = lives(keys)?;
    let life = lifecycle::voucher(&all).context("there is no signing key")?;
    let stored = keys.iter().find(|key| key.kid == life.kid);
    let stored = stored.context("every life is a key's")?;
    let voucher = match known {
        Some(known) if known.kid == stored.kid => known,
        Some(_) | None => Arc::new(parsed(stored, seal, issuer)?),
    };
    let believed = keys.iter().zip(&all).filter_map(|(key, life)| {
        let until = match life.state {
            State::Revoked => return None,
            State::Pending | State::Active => None,
            State::Retiring | State::Retired => Some(key.retiring_at? + REFRESHABLE),
        };
        Some(Believed::new(
            &key.kid,
            (&key.n, &key.e),
            until,
            key.is_imported,
        ))
    });
    Ok(Held {
        voucher,
        is_signing: life.state == State::Active,
        believed: believed.collect::<anyhow::Result<_>>()?,
    })
}

fn parsed(stored: &StoredKey, seal: &Seal, issuer: &str) -> anyhow::Result<SigningKey> {
    ensure!(
        stored.issuer == issuer,
        "signing key {} is announced for the issuer {}; set QUITTANCE_ISSUER to it",
        stored.kid,
        stored.issuer,
    );
    let sealed = stored.private_sealed.as_deref();
    let sealed = sealed.context("a key that signs has its private half")?;
    let private = seal.open(&stored.kid, sealed).context("the signing key")?;
    let key = SigningKey::from_pkcs8(&private, issuer)?;
    ensure!(
        (&key.kid, &key.n, &key.e) == (&stored.kid, &stored.n, &stored.e),
        "the row of signing key {} holds another public key than its private half has; restore it from a backup",
        stored.kid,
    );
    Ok(key)
}

fn lives(keys: &[StoredKey]) -> anyhow::Result<Vec<Life>> {
    keys.iter().map(life).collect()
}

pub(super) fn life(key: &StoredKey) -> anyhow::Result<Life> {
    let state = State::from_word(&key.state);
    Ok(Life {
        kid: key.kid.clone(),
        state: state.with_context(|| format!("no key is {}", key.state))?,
        is_announced: key.announced_seq.is_some(),
        has_private_half: key.private_sealed.is_some(),
        activates_at: key.activates_at,
        activated_at: key.activated_at,
        retires_at: key.retires_at,
    })
}
