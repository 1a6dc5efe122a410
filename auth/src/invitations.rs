//! Invitations: a code with which somebody becomes a person, with a password that nobody else knows.

use anyhow::ensure;
use chrono::{DateTime, TimeDelta, Utc};
use common::service;
use serde_json::json;
use sqlx::{PgConnection, PgPool};

use crate::people::{Role, normalized};
use crate::store::events::{self, Event, names};
use crate::store::one_time_codes;
use crate::{codes, store};

/// Random bytes of a code. It stands for a person, so nobody may guess it.
pub(crate) const CODE_BYTES: usize = 20;
/// Invitations are read after a weekend.
const LIFE: TimeDelta = TimeDelta::hours(72);

/// A code that nobody can show again.
pub(crate) struct Invited {
    pub(crate) code: String,
    pub(crate) expires_at: DateTime<Utc>,
}

/// Invites somebody. It ends an earlier invitation to the same address.
///
/// # Errors
/// When the database is away.
pub(crate) async fn invite(
    db: &mut PgConnection,
    email: &str,
    role: Role,
    actor: Option<&str>,
    now: DateTime<Utc>,
) -> anyhow::Result<Invited> {
    let (code, expires_at) = (codes::random::<CODE_BYTES>()?, now + LIFE);
    let (sha256, word) = (codes::sha256(&code), role.as_str());
    one_time_codes::end_invitations(&mut *db, email, now).await?;
    one_time_codes::insert_invitation(&mut *db, &sha256, email, word, now, expires_at).await?;
    let event = Event {
        what: names::USER_INVITED,
        actor,
        about: None,
        detail: json!({"email": email, "role": word}),
    };
    events::record(&mut *db, &event, now).await?;
    Ok(Invited { code, expires_at })
}

/// A code that makes the first administrator; `None` when there is one. It ends an earlier one to the same address.
///
/// # Errors
/// When the database refuses, or the e-mail address is not one.
pub async fn invite_first_admin(pool: &PgPool, email: &str) -> anyhow::Result<Option<String>> {
    let email = normalized(email)?;
    let mut tx = pool.begin().await?;
    if !store::people::lock_admins(&mut tx).await?.is_empty() {
        return Ok(None);
    }
    let taken = store::people::user_by_email(&mut *tx, &email).await?;
    ensure!(taken.is_none(), "somebody has the address {email} already");
    let invitation = invite(&mut tx, &email, Role::Admin, None, service::now()).await?;
    tx.commit().await?;
    Ok(Some(invitation.code))
}
