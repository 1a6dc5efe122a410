//! What operators did beside the log. Rows are added and never changed.

use chrono::{DateTime, Utc};
use common::http::events::{Event, EventFilter, EventQuery};
use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

/// Something that an operator did.
#[derive(Debug)]
pub(crate) struct NewEvent<'e> {
    pub(crate) at: DateTime<Utc>,
    /// As in `replay.started`.
    pub(crate) what: &'static str,
    /// `client_id` of who did it.
    pub(crate) actor: &'e str,
    /// The replay or the file.
    pub(crate) about: Uuid,
    /// An object with more.
    pub(crate) detail: Value,
}

/// Notes an event.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn record_event(
    db: impl PgExecutor<'_>,
    event: &NewEvent<'_>,
) -> sqlx::Result<()> {
    let about = event.about.to_string();
    let added = sqlx::query!(
        "insert into event (at, what, actor, about, detail) values ($1, $2, $3, $4, $5)",
        event.at,
        event.what,
        event.actor,
        about,
        event.detail,
    );
    added.execute(db).await.map(drop)
}

/// The newest first.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn event_page(
    db: impl PgExecutor<'_>,
    query: &EventQuery,
    filter: &EventFilter,
) -> sqlx::Result<Vec<Event>> {
    sqlx::query_as!(
        Event,
        r#"select id, at, what, actor as "actor?", about as "about?", detail from event
           where ($1::text is null or about = $1) and ($2::text is null or actor = $2)
             and ($3::text is null or what = $3) and ($4::timestamptz is null or at >= $4)
             and ($5::bigint is null or id < $5)
           order by id desc limit $6"#,
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
