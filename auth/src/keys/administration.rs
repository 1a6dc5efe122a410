//! What an administrator does to keys: rotate, revoke, import, rewrap.

use serde_json::json;
use sqlx::PgPool;

use super::keeper::{Keeper, create, life, record};
use super::lifecycle::{self, IMPORTED, State};
use super::public::PublicHalf;
use crate::second_factor;
use crate::store;
use crate::store::events::names;

/// Why a key is not revoked or imported.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("there is no key of this name")]
    Unknown,
    #[error(
        "the ledger has not noted this key yet, and there is no other; when auth is ready, it can be revoked"
    )]
    First,
    #[error("this key is ours")]
    Ours,
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl Keeper {
    /// Makes the next key, unless there is one. It signs when verifiers have had the time to fetch it, or as soon as the
    /// ledger has noted it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn rotate(
        &self,
        pool: &PgPool,
        at_once: bool,
        actor: &str,
    ) -> anyhow::Result<()> {
        let mut tx = pool.begin().await?;
        let now = store::keys::lock(&mut tx).await?;
        let keys = store::keys::all(&mut *tx).await?;
        let pending = keys.iter().find(|key| key.state == State::Pending.as_str());
        match pending {
            Some(pending) if at_once => {
                store::keys::set_activates_at(&mut *tx, &pending.kid, now).await?;
            }
            Some(_) => {}
            None => {
                let activates_at = if at_once {
                    now
                } else {
                    lifecycle::activation(now)
                };
                let actor = Some(actor);
                create(&mut tx, &self.seal, &self.issuer, activates_at, actor, now).await?;
            }
        }
        tx.commit().await?;
        self.keep(pool).await
    }

    /// Revokes a key: from now on it signs nothing, and auth believes nothing that it signed. The ledger hears of it at
    /// once, or if this key has to vouch for its successor first, right after that.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::First`], or when the database does not answer.
    pub(crate) async fn revoke(&self, pool: &PgPool, kid: &str, actor: &str) -> Result<(), Error> {
        let mut tx = pool.begin().await?;
        let now = store::keys::lock(&mut tx).await?;
        let keys = store::keys::all(&mut *tx).await?;
        let key = keys.iter().find(|key| key.kid == kid);
        let key = key.ok_or(Error::Unknown)?;
        let state = life(key)?.state;
        let vouches = match state {
            State::Revoked => return Ok(()),
            State::Active if key.announced_seq.is_none() => return Err(Error::First),
            State::Active => true,
            State::Pending
                if keys
                    .iter()
                    .all(|key| key.private_sealed.is_none() || key.kid == kid) =>
            {
                return Err(Error::First);
            }
            State::Pending | State::Retiring | State::Retired => false,
        };
        store::keys::revoke(&mut *tx, kid, vouches, now).await?;
        if !vouches && !key.is_imported {
            store::keys::disown(&mut tx, kid, now).await?;
        }
        if let Some(from) = key.activated_at {
            let until = key.retiring_at.unwrap_or(now);
            store::sessions::end_refreshed(&mut *tx, from, until, "key_revoked", now).await?;
        }
        record(
            &mut tx,
            names::KEY_REVOKED,
            Some(actor),
            kid,
            json!({}),
            now,
        )
        .await?;
        tx.commit().await?;
        Ok(self.keep(pool).await?)
    }

    /// Takes in the public half of another system's key, for the tokens that it left behind. `false` when it is here.
    ///
    /// # Errors
    /// [`Error::Ours`], or when the database does not answer.
    pub(crate) async fn import(
        &self,
        pool: &PgPool,
        key: &PublicHalf,
        actor: &str,
    ) -> Result<bool, Error> {
        let mut tx = pool.begin().await?;
        let now = store::keys::lock(&mut tx).await?;
        let PublicHalf { kid, n, e } = key;
        let (issuer, until) = (&self.issuer, now + IMPORTED);
        let is_new =
            store::keys::insert_imported(&mut *tx, (kid, n, e), issuer, now, until).await?;
        if is_new {
            record(
                &mut tx,
                names::KEY_IMPORTED,
                Some(actor),
                kid,
                json!({}),
                now,
            )
            .await?;
        } else {
            let keys = store::keys::all(&mut *tx).await?;
            if keys.iter().any(|key| key.kid == *kid && !key.is_imported) {
                return Err(Error::Ours);
            }
        }
        tx.commit().await?;
        self.keep(pool).await?;
        Ok(is_new)
    }

    /// Seals by the first key encryption key what another sealed. How many secrets that were.
    ///
    /// # Errors
    /// When the database does not answer, or one does not open.
    pub(crate) async fn rewrap(&self, pool: &PgPool, actor: &str) -> anyhow::Result<u64> {
        let mut tx = pool.begin().await?;
        let now = store::keys::lock(&mut tx).await?;
        let mut resealed = 0;
        for key in store::keys::all(&mut *tx).await? {
            let Some(sealed) = &key.private_sealed else {
                continue;
            };
            if let Some(again) = self.seal.reseal(&key.kid, sealed)? {
                store::keys::reseal(&mut *tx, &key.kid, &again).await?;
                record(
                    &mut tx,
                    names::KEY_RESEALED,
                    Some(actor),
                    &key.kid,
                    json!({}),
                    now,
                )
                .await?;
                resealed += 1;
            }
        }
        resealed += second_factor::reseal(&mut tx, &self.seal).await?;
        tx.commit().await?;
        Ok(resealed)
    }
}
