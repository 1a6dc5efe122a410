//! The life of a service account: made, deactivated, activated again, deleted.
//!
//! A deactivation revokes every token issued up to its second. Tokens that are issued after a new activation have a later
//! `iat`, so they count.

use chrono::{DateTime, Utc};
use common::ids::ClientId;
use common::token::Target;
use serde_json::json;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::Error;
use super::credentials::{Proof, add};
use super::terms::Terms;
use crate::store;
use crate::store::clients::NewAccount;
use crate::store::events::Event;

/// A token that was issued before the change may come out of auth a moment after it; so many seconds are long enough for the
/// three statements between the look at the clock and the commit.
const ISSUING_SECONDS: i64 = 2;

/// Makes an account with its first credential, whose id comes back.
///
/// # Errors
/// [`Error::Taken`], [`Error::Invalid`], or when the database is away.
pub(crate) async fn create(
    pool: &PgPool,
    actor: &str,
    terms: &Terms,
    proof: &Proof,
    expires_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<Uuid, Error> {
    let id = terms.client_id.as_str();
    let accounts = terms.accounts.as_ref();
    let accounts: Option<Vec<Uuid>> = accounts.map(|ids| ids.iter().map(|id| id.0).collect());
    let account = NewAccount {
        client_id: id,
        name: terms.name.as_deref(),
        scopes: &terms.scopes,
        audience: terms.audience.map(common::token::Audience::as_str),
        payment_max: terms.payment_max.as_ref(),
        accounts: accounts.as_deref(),
    };
    let mut tx = pool.begin().await?;
    if !store::clients::insert(&mut *tx, &account, now).await? {
        return Err(Error::Taken);
    }
    let detail = json!({
        "scopes": terms.scopes,
        "audience": account.audience,
        "payment_max": terms.payment_max,
        "accounts": accounts,
    });
    note(&mut tx, "service_account.created", actor, id, detail, now).await?;
    let credential = add(&mut tx, Some(actor), id, proof, expires_at, now).await?;
    tx.commit().await?;
    Ok(credential)
}

/// Deactivates an account and revokes its tokens. The revocation's id; `None` when it was inactive.
///
/// # Errors
/// [`Error::NoAccount`], or when the database is away.
pub(crate) async fn deactivate(
    pool: &PgPool,
    actor: &str,
    client_id: &ClientId,
    now: DateTime<Utc>,
) -> Result<Option<Uuid>, Error> {
    let mut tx = pool.begin().await?;
    let is_active = store::clients::lock(&mut *tx, client_id.as_str()).await?;
    if !is_active.ok_or(Error::NoAccount)? {
        return Ok(None);
    }
    let revocation = end(&mut tx, client_id, "client_deactivated", now).await?;
    let (what, id) = ("service_account.deactivated", client_id.as_str());
    note(&mut tx, what, actor, id, json!({}), now).await?;
    tx.commit().await?;
    Ok(Some(revocation))
}

/// Activates an account; an active one stays as it is.
///
/// # Errors
/// [`Error::NoAccount`], or when the database is away.
pub(crate) async fn activate(
    pool: &PgPool,
    actor: &str,
    client_id: &ClientId,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let id = client_id.as_str();
    let mut tx = pool.begin().await?;
    let is_active = store::clients::lock(&mut *tx, id).await?;
    if is_active.ok_or(Error::NoAccount)? {
        return Ok(());
    }
    store::clients::activate(&mut *tx, id, now).await?;
    note(
        &mut tx,
        "service_account.activated",
        actor,
        id,
        json!({}),
        now,
    )
    .await?;
    tx.commit().await?;
    Ok(())
}

/// Deletes an account for good and revokes its tokens. Its id stays taken: its payments name it. The revocation's id.
///
/// # Errors
/// [`Error::NoAccount`], or when the database is away.
pub(crate) async fn delete(
    pool: &PgPool,
    actor: &str,
    client_id: &ClientId,
    now: DateTime<Utc>,
) -> Result<Uuid, Error> {
    let id = client_id.as_str();
    let mut tx = pool.begin().await?;
    let found = store::clients::lock(&mut *tx, id).await?;
    found.ok_or(Error::NoAccount)?;
    let revocation = end(&mut tx, client_id, "client_deleted", now).await?;
    store::clients::delete(&mut *tx, id, now).await?;
    note(
        &mut tx,
        "service_account.deleted",
        actor,
        id,
        json!({}),
        now,
    )
    .await?;
    tx.commit().await?;
    Ok(revocation)
}

/// Makes a locked account inactive and revokes its tokens.
async fn end(
    tx: &mut PgConnection,
    client_id: &ClientId,
    because: &'static str,
    now: DateTime<Utc>,
) -> sqlx::Result<Uuid> {
    let issued_until =
        store::clients::issued_until(&mut *tx, client_id.as_str(), ISSUING_SECONDS).await?;
    store::clients::deactivate(&mut *tx, client_id.as_str(), issued_until, now).await?;
    // Its tokens under mandates are their givers', so each mandate's are revoked by themselves. There may be thousands.
    let mandates = store::mandates::of_client(&mut *tx, client_id.as_str(), now).await?;
    let sessions = mandates.iter().map(|mandate| Target::Session {
        sid: mandate.to_string(),
    });
    store::revocations::request_all(&mut *tx, sessions, because, now).await?;
    let target = Target::Client {
        client_id: client_id.clone(),
        issued_until,
    };
    store::revocations::request(&mut *tx, &target, because, now).await
}

async fn note(
    tx: &mut PgConnection,
    what: &'static str,
    actor: &str,
    client_id: &str,
    detail: serde_json::Value,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    let event = Event {
        what,
        actor: Some(actor),
        about: Some(client_id),
        detail,
    };
    store::events::record(&mut *tx, &event, now).await
}
