//! The second factor of people: codes of an authenticator ([`totp`]), and recovery codes for when it is lost.
//!
//! A person starts one and gets its secret; it counts once the person has shown a code of it. From then on log-in asks for a
//! code. Each function here works in a transaction that holds the person's row, so one code can't be used twice at a time.

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::keys::seal::Seal;
use crate::store::events::{self, Event, names};
use crate::store::second_factors;
use crate::{codes, totp};

/// Recovery codes of one second factor.
const RECOVERY_CODES: usize = 10;
/// Random bytes of each.
const RECOVERY_CODE_BYTES: usize = 10;

/// What a code proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The person has no second factor: none is asked for.
    NotNeeded,
    Good,
    /// One is needed and none was given.
    Missing,
    /// It is not one of this person's, not of this time, or used up.
    Wrong,
}

/// Judges a code of the authenticator or a recovery code, and uses it up.
///
/// # Errors
/// When the database is away, or the secret does not open.
pub(crate) async fn judge(
    db: &mut PgConnection,
    seal: &Seal,
    user: Uuid,
    typed: Option<&str>,
    now: DateTime<Utc>,
) -> anyhow::Result<Proof> {
    let factor = second_factors::get(&mut *db, user).await?;
    let Some(factor) = factor.filter(|factor| factor.is_confirmed) else {
        return Ok(Proof::NotNeeded);
    };
    let Some(typed) = typed else {
        return Ok(Proof::Missing);
    };
    let secret = opened(seal, user, &factor.secret_sealed)?;
    if let Some(step) = totp::step_of(&secret, &plain(typed), now, factor.last_step) {
        second_factors::use_step(&mut *db, user, step).await?;
        return Ok(Proof::Good);
    }
    let sha256 = codes::sha256(typed);
    if !second_factors::use_recovery_code(&mut *db, user, &sha256, now).await? {
        return Ok(Proof::Wrong);
    }
    let left = second_factors::recovery_codes_left(&mut *db, user).await?;
    record(
        db,
        names::RECOVERY_CODE_USED,
        user,
        json!({"left": left}),
        now,
    )
    .await?;
    Ok(Proof::Good)
}

/// A new secret, in base32; `None` when the person has a second factor that counts.
///
/// # Errors
/// When the database is away, or the secret can't be sealed.
pub(crate) async fn start(
    db: &mut PgConnection,
    seal: &Seal,
    user: Uuid,
    now: DateTime<Utc>,
) -> anyhow::Result<Option<String>> {
    let secret = codes::bytes::<{ totp::SECRET_BYTES }>()?;
    let sealed = seal.seal(&name(user), &secret)?;
    let is_started = second_factors::start(db, user, &sealed, now).await?;
    Ok(is_started.then(|| codes::base32(&secret)))
}

/// What a first code leads to.
#[derive(Debug)]
pub(crate) enum Confirmed {
    /// It counts from now on. The recovery codes, which nobody can show again.
    On(Vec<String>),
    /// None was started, or it counts already.
    NotStarted,
    Wrong,
}

/// Makes a second factor count, if the code is one of it.
///
/// # Errors
/// When the database is away, or the secret does not open.
pub(crate) async fn confirm(
    db: &mut PgConnection,
    seal: &Seal,
    user: Uuid,
    typed: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<Confirmed> {
    let factor = second_factors::get(&mut *db, user).await?;
    let Some(factor) = factor.filter(|factor| !factor.is_confirmed) else {
        return Ok(Confirmed::NotStarted);
    };
    let secret = opened(seal, user, &factor.secret_sealed)?;
    let Some(step) = totp::step_of(&secret, &plain(typed), now, None) else {
        return Ok(Confirmed::Wrong);
    };
    second_factors::confirm(&mut *db, user, step, now).await?;
    let fresh = recovery_codes(db, user).await?;
    record(db, names::SECOND_FACTOR_ON, user, json!({}), now).await?;
    Ok(Confirmed::On(fresh))
}

/// New recovery codes in the place of all that were left, for somebody whose code was judged good.
///
/// # Errors
/// When the database is away.
pub(crate) async fn renew_recovery_codes(
    db: &mut PgConnection,
    user: Uuid,
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<String>> {
    second_factors::end_recovery_codes(&mut *db, user, now).await?;
    let fresh = recovery_codes(db, user).await?;
    record(db, names::RECOVERY_CODES_RENEWED, user, json!({}), now).await?;
    Ok(fresh)
}

async fn recovery_codes(db: &mut PgConnection, user: Uuid) -> anyhow::Result<Vec<String>> {
    let fresh = std::iter::repeat_with(codes::random::<RECOVERY_CODE_BYTES>).take(RECOVERY_CODES);
    let fresh = fresh.collect::<anyhow::Result<Vec<_>>>()?;
    let sha256: Vec<_> = fresh.iter().map(|code| codes::sha256(code)).collect();
    second_factors::insert_recovery_codes(db, user, &sha256).await?;
    Ok(fresh)
}

/// Seals by the first key encryption key what another sealed. How many secrets that were.
///
/// # Errors
/// When the database is away, or a secret does not open.
pub(crate) async fn reseal(db: &mut PgConnection, seal: &Seal) -> anyhow::Result<u64> {
    let mut resealed = 0;
    for (user, sealed) in second_factors::all_sealed(&mut *db).await? {
        if let Some(again) = seal.reseal(&name(user), &sealed)? {
            second_factors::reseal(&mut *db, user, &sealed, &again).await?;
            resealed += 1;
        }
    }
    Ok(resealed)
}

async fn record(
    db: &mut PgConnection,
    what: &'static str,
    user: Uuid,
    detail: serde_json::Value,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    let actor = common::ids::ClientId::of_user(user);
    let event = Event {
        what,
        actor: Some(actor.as_str()),
        about: Some(&user.to_string()),
        detail,
    };
    events::record(db, &event, now).await
}

fn opened(seal: &Seal, user: Uuid, sealed: &[u8]) -> anyhow::Result<Vec<u8>> {
    let secret = seal.open(&name(user), sealed);
    secret.with_context(|| format!("the second factor of {user} can't be read"))
}

/// What a secret is sealed under, so that it opens in its own row only.
fn name(user: Uuid) -> String {
    format!("totp:{user}")
}

/// Authenticators show codes in two groups.
fn plain(typed: &str) -> String {
    typed.split_whitespace().collect()
}
