//! What happened, for auditors. Rows are added and never changed.

pub(crate) mod names;

use chrono::{DateTime, Utc};
use common::http::events::{Event as Recorded, EventFilter, EventQuery};
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

/// The newest first.
pub(crate) async fn page(
    db: impl PgExecutor<'_>,
    query: &EventQuery,
    filter: &EventFilter,
) -> sqlx::Result<Vec<Recorded>> {
    sqlx::query_as!(
        Recorded,
        "select id, at, what, actor, about, detail from events
         where ($1::text is null or about = $1) and ($2::text is null or actor = $2)
           and ($3::text is null or what = $3) and ($4::timestamptz is null or at >= $4)
           and ($5::bigint is null or id < $5)
         order by id desc limit $6",
        query.about.as_deref(),
        query.actor.as_deref(),
        query.what.as_deref(),
        filter.from,
        query.cursor,
        filter.rows_max(),
    )
    .fetch_all(db)
    .await
}
