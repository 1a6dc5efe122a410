//! What happened, for auditors. Rows are added and never changed.

pub(crate) mod names;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgExecutor;

/// Something that happened. No secret and no token is in one.
pub(crate) struct Event<'e> {
    /// As in `user.logged_in`.
    pub(crate) what: &'static str,
    /// `client_id` of who did it; `None` when nobody was logged in.
    pub(crate) actor: Option<&'e str>,
    /// Whom or what it is about.
    pub(crate) about: Option<&'e str>,
    /// An object with more.
    pub(crate) detail: Value,
}

/// Notes an event. It belongs into the transaction of what happened.
pub(crate) async fn record(
    db: impl PgExecutor<'_>,
    event: &Event<'_>,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into events (at, what, actor, about, detail) values ($1, $2, $3, $4, $5)",
        now,
        event.what,
        event.actor,
        event.about,
        event.detail,
    )
    .execute(db)
    .await?;
    Ok(())
}
