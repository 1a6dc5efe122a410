//! Locking a person out: every session ends and every token is revoked, in the one transaction that says why.
//!
//! The person's row is locked meanwhile, so a login that is under way either is ended too or finds what has changed. Dying
//! behind the commit is harmless: the revocation stands in the database and goes into the log ([`crate::log`]).

use chrono::{DateTime, Utc};
use common::token::Target;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::app::Auth;
use crate::people::Role;
use crate::store;
use crate::store::events::{Event, names};
use crate::store::people::{NewRole, User};

/// Why.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Because<'b> {
    LoggedOutEverywhere,
    Deactivated,
    /// The hash of the new password.
    PasswordChanged(&'b str),
    /// The code that it took is used up with it.
    PasswordReset {
        hash: &'b str,
        code_sha256: &'b [u8],
    },
    /// An administrator takes the second factor away, if there is one.
    SecondFactorReset,
}

impl Because<'_> {
    /// The word in the database.
    fn as_str(self) -> &'static str {
        match self {
            Self::LoggedOutEverywhere => "logged_out_everywhere",
            Self::Deactivated => "deactivated",
            Self::PasswordChanged(_) => "password_changed",
            Self::PasswordReset { .. } => "password_reset",
            Self::SecondFactorReset => "second_factor_reset",
        }
    }
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Nobody,
    /// Nobody could let anybody in again.
    LastAdmin,
    /// The code for it was used meanwhile.
    UsedUp,
}

/// Locks a person out; whoever logs in again is in again, unless deactivated.
///
/// # Errors
/// When the database is away.
pub(crate) async fn lock_out(
    auth: &Auth,
    user: Uuid,
    because: Because<'_>,
    actor: &str,
) -> sqlx::Result<Outcome> {
    let mut tx = auth.pool.begin().await?;
    if matches!(because, Because::Deactivated) && is_last_admin(&mut tx, user).await? {
        return Ok(Outcome::LastAdmin);
    }
    let Some((person, now)) = store::people::lock(&mut tx, user).await? else {
        return Ok(Outcome::Nobody);
    };
    match because {
        Because::LoggedOutEverywhere => {}
        Because::Deactivated => store::people::set_active(&mut *tx, user, false, now).await?,
        Because::PasswordChanged(hash) => {
            store::people::set_password(&mut *tx, user, hash, now).await?;
            store::one_time_codes::end_resets(&mut *tx, user, now).await?;
        }
        Because::PasswordReset { hash, code_sha256 } => {
            if !store::one_time_codes::use_up(&mut *tx, code_sha256, now).await? {
                return Ok(Outcome::UsedUp);
            }
            store::people::set_password(&mut *tx, user, hash, now).await?;
        }
        Because::SecondFactorReset => {
            if store::second_factors::delete(&mut *tx, user).await? {
                let event = Event {
                    what: names::SECOND_FACTOR_OFF,
                    actor: Some(actor),
                    about: Some(&user.to_string()),
                    detail: serde_json::json!({"because": "reset"}),
                };
                store::events::record(&mut *tx, &event, now).await?;
            }
        }
    }
    let revocation = end_all(&mut tx, &person, because.as_str(), actor, now).await?;
    tx.commit().await?;
    auth.until_revoked(&[revocation]).await?;
    Ok(Outcome::Done)
}

/// Gives a person another role. Whoever may do less by it is locked out, so that no token allows more than the person may.
///
/// # Errors
/// When the database is away.
pub(crate) async fn change_role(
    auth: &Auth,
    user: Uuid,
    role: Role,
    actor: &str,
) -> sqlx::Result<Outcome> {
    let mut tx = auth.pool.begin().await?;
    if role != Role::Admin && is_last_admin(&mut tx, user).await? {
        return Ok(Outcome::LastAdmin);
    }
    let Some((person, now)) = store::people::lock(&mut tx, user).await? else {
        return Ok(Outcome::Nobody);
    };
    if person.role == role.as_str() && person.scopes == role.scopes() {
        return Ok(Outcome::Done);
    }
    let new = NewRole {
        role: role.as_str(),
        scopes: role.scopes(),
        is_staff: role != Role::Customer,
    };
    store::people::set_role(&mut *tx, user, &new, now).await?;
    let event = Event {
        what: names::USER_ROLE_CHANGED,
        actor: Some(actor),
        about: Some(&user.to_string()),
        detail: serde_json::json!({"from": person.role, "to": role.as_str()}),
    };
    store::events::record(&mut *tx, &event, now).await?;
    let kept: Vec<_> = role.scopes().split(' ').collect();
    let loses_any = person.scopes.split(' ').any(|scope| !kept.contains(&scope));
    let revocation = if loses_any {
        Some(end_all(&mut tx, &person, "role_changed", actor, now).await?)
    } else {
        None
    };
    tx.commit().await?;
    if let Some(revocation) = revocation {
        auth.until_revoked(&[revocation]).await?;
    }
    Ok(Outcome::Done)
}

/// Whether this is the only active administrator. All of them stay so until the transaction ends: two who take the role from
/// each other come one after the other.
async fn is_last_admin(db: &mut PgConnection, user: Uuid) -> sqlx::Result<bool> {
    let admins = store::people::lock_admins(db).await?;
    Ok(admins == [user])
}

/// Ends every session and every token of a person whose row is locked; the revocation.
async fn end_all(
    db: &mut PgConnection,
    person: &User,
    because: &'static str,
    actor: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<Uuid> {
    store::sessions::end_all(&mut *db, person.id, because, now).await?;
    // Within the second of the lock-out before, tokens were issued a second ahead: they end too.
    let until = now.timestamp().max(person.tokens_valid_after + 1);
    store::people::set_tokens_valid_after(&mut *db, person.id, until).await?;
    let target = Target::Subject {
        sub: person.id.to_string(),
        issued_until: until,
    };
    let revocation = store::revocations::request(&mut *db, &target, because, now).await?;
    let event = Event {
        what: names::USER_LOCKED_OUT,
        actor: Some(actor),
        about: Some(&person.id.to_string()),
        detail: serde_json::json!({"because": because}),
    };
    store::events::record(&mut *db, &event, now).await?;
    Ok(revocation)
}
