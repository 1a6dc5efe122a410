//! Locking a person out: every session ends and every token is revoked, in the one transaction that says why.
//!
//! The person's row is locked meanwhile, so a login that is under way either is ended too or finds what has changed. Dying
//! behind the commit is harmless: the revocation stands in the database and goes into the log ([`crate::log`]).

use common::token::Target;
use uuid::Uuid;

use crate::app::Auth;
use crate::store;
use crate::store::events::{Event, names};

/// Why.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Because<'b> {
    LoggedOutEverywhere,
    Deactivated,
    /// The hash of the new password.
    PasswordChanged(&'b str),
    /// An administrator takes the second factor away, if there is one.
    SecondFactorReset,
}

impl Because<'_> {
    fn as_str(self) -> &'static str {
        match self {
            Self::LoggedOutEverywhere => "logged_out_everywhere",
            Self::Deactivated => "deactivated",
            Self::PasswordChanged(_) => "password_changed",
            Self::SecondFactorReset => "second_factor_reset",
        }
    }
}

/// Locks a person out; whoever logs in again is in again, unless deactivated. `false` when there is no such person.
///
/// # Errors
/// When the database is away.
pub(crate) async fn lock_out(
    auth: &Auth,
    user: Uuid,
    because: Because<'_>,
    actor: &str,
) -> sqlx::Result<bool> {
    let mut tx = auth.pool.begin().await?;
    let Some((person, now)) = store::people::lock(&mut tx, user).await? else {
        return Ok(false);
    };
    match because {
        Because::LoggedOutEverywhere => {}
        Because::Deactivated => store::people::set_active(&mut *tx, user, false, now).await?,
        Because::PasswordChanged(hash) => {
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
    let word = because.as_str();
    store::sessions::end_all(&mut *tx, user, word, now).await?;
    // Within the second of the lock-out before, tokens were issued a second ahead: they end too.
    let until = now.timestamp().max(person.tokens_valid_after + 1);
    store::people::set_tokens_valid_after(&mut *tx, user, until).await?;
    let target = Target::Subject {
        sub: user.to_string(),
        issued_until: until,
    };
    let revocation = store::revocations::request(&mut *tx, &target, word, now).await?;
    let event = Event {
        what: names::USER_LOCKED_OUT,
        actor: Some(actor),
        about: Some(&user.to_string()),
        detail: serde_json::json!({"because": word}),
    };
    store::events::record(&mut *tx, &event, now).await?;
    tx.commit().await?;
    auth.until_revoked(&[revocation]).await?;
    Ok(true)
}
