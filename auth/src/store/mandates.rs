//! Mandates.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use common::token::Target;
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::revocations;

/// A mandate.
pub(crate) struct Mandate {
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) client_id: String,
    pub(crate) payment_max: Option<Json<BTreeMap<String, String>>>,
    pub(crate) accounts: Option<Vec<Uuid>>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) expires_at: Option<DateTime<Utc>>,
}

pub(crate) async fn insert(db: impl PgExecutor<'_>, mandate: &Mandate) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into mandates (id, user_id, client_id, payment_max, accounts, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
        mandate.id,
        mandate.user_id,
        mandate.client_id,
        mandate.payment_max.as_ref() as _,
        mandate.accounts.as_deref(),
        mandate.created_at,
        mandate.expires_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// How many mandates of a person stand.
pub(crate) async fn count(
    db: impl PgExecutor<'_>,
    user_id: Uuid,
    now: DateTime<Utc>,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from mandates
           where user_id = $1 and ended_at is null and (expires_at is null or expires_at > $2)"#,
        user_id,
        now,
    )
    .fetch_one(db)
    .await
}

/// A person's mandates that stand, the newest first.
pub(crate) async fn of_user(
    db: impl PgExecutor<'_>,
    user_id: Uuid,
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<Mandate>> {
    sqlx::query_as!(
        Mandate,
        r#"select id, user_id, client_id, payment_max as "payment_max: Json<BTreeMap<String, String>>", accounts,
                  created_at, expires_at
           from mandates
           where user_id = $1 and ended_at is null and (expires_at is null or expires_at > $2)
           order by created_at desc, id"#,
        user_id,
        now,
    )
    .fetch_all(db)
    .await
}

/// A mandate that stands, of a person who is active, with what a token for the person allows.
pub(crate) struct Standing {
    pub(crate) mandate: Mandate,
    pub(crate) scopes: String,
    /// Tokens that were issued up to this second were revoked.
    pub(crate) tokens_valid_after: i64,
}

/// The mandate, if it stands and its person is active.
pub(crate) async fn standing(
    db: &mut PgConnection,
    id: Uuid,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<Standing>> {
    let row = sqlx::query!(
        r#"select mandates.id, user_id, client_id, payment_max as "payment_max: Json<BTreeMap<String, String>>", accounts,
                  mandates.created_at, expires_at, scopes, tokens_valid_after
           from mandates join users on users.id = user_id
           where mandates.id = $1 and ended_at is null and (expires_at is null or expires_at > $2) and is_active"#,
        id,
        now,
    );
    Ok(row.fetch_optional(db).await?.map(|row| Standing {
        mandate: Mandate {
            id: row.id,
            user_id: row.user_id,
            client_id: row.client_id,
            payment_max: row.payment_max,
            accounts: row.accounts,
            created_at: row.created_at,
            expires_at: row.expires_at,
        },
        scopes: row.scopes,
        tokens_valid_after: row.tokens_valid_after,
    }))
}

/// Whether the tokens under a mandate count: it stands, and its person and this program are active.
pub(crate) async fn counts(
    db: impl PgExecutor<'_>,
    id: Uuid,
    client_id: &str,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select from mandates join users on users.id = user_id
               left join service_accounts using (client_id)
               where mandates.id = $1 and client_id = $2 and ended_at is null
                 and (expires_at is null or expires_at > now())
                 and users.is_active and coalesce(service_accounts.is_active, true)
           ) as "counts!""#,
        id,
        client_id,
    )
    .fetch_one(db)
    .await
}

/// The mandates of a program that stand.
pub(crate) async fn of_client(
    db: impl PgExecutor<'_>,
    client_id: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "select id from mandates
         where client_id = $1 and ended_at is null and (expires_at is null or expires_at > $2)",
        client_id,
        now,
    )
    .fetch_all(db)
    .await
}

/// Ends a person's mandate and revokes its tokens. The revocation; `None` when no such mandate stood.
pub(crate) async fn end(
    db: &mut PgConnection,
    id: Uuid,
    user_id: Uuid,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<Uuid>> {
    let ended = sqlx::query!(
        "update mandates set ended_at = $3 where id = $1 and user_id = $2 and ended_at is null",
        id,
        user_id,
        now,
    );
    if ended.execute(&mut *db).await?.rows_affected() == 0 {
        return Ok(None);
    }
    let target = Target::Session {
        sid: id.to_string(),
    };
    revocations::request(db, &target, "mandate_ended", now)
        .await
        .map(Some)
}
