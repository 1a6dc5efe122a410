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

/// An event as it was recorded.
pub(crate) struct Recorded {
    pub(crate) id: i64,
    pub(crate) at: DateTime<Utc>,
    pub(crate) what: String,
    pub(crate) actor: Option<String>,
    pub(crate) about: Option<String>,
    pub(crate) detail: Value,
}

/// What a reader looks for; what is `None` does not matter.
#[derive(Debug, Default)]
pub(crate) struct Filter<'f> {
    pub(crate) about: Option<&'f str>,
    pub(crate) actor: Option<&'f str>,
    pub(crate) what: Option<&'f str>,
    /// At this time or later.
    pub(crate) from: Option<DateTime<Utc>>,
    /// Recorded before this one.
    pub(crate) before: Option<i64>,
}

/// The newest first, at most `limit`.
pub(crate) async fn page(
    db: impl PgExecutor<'_>,
    filter: &Filter<'_>,
    limit: i64,
) -> sqlx::Result<Vec<Recorded>> {
    sqlx::query_as!(
        Recorded,
        "select id, at, what, actor, about, detail from events
         where ($1::text is null or about = $1) and ($2::text is null or actor = $2)
           and ($3::text is null or what = $3) and ($4::timestamptz is null or at >= $4)
           and ($5::bigint is null or id < $5)
         order by id desc limit $6",
        filter.about,
        filter.actor,
        filter.what,
        filter.from,
        filter.before,
        limit,
    )
    .fetch_all(db)
    .await
}
