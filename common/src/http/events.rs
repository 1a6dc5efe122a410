//! What happened at a service, for auditors: who did what, the newest first. Each service keeps its own rows and names; they
//! are asked for and told in one way.

use axum::response::Response;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::page::{self, Page};
use super::problem::Problem;
use super::queries::{bad, time};
use crate::timestamp;

/// Events in a list, unless asked for otherwise.
const ROWS_DEFAULT: u32 = 50;

/// What a reader asks for; what is missing does not matter.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventQuery {
    /// What it is about, by its id: a person, a service account, a key, a session, a replay, a file.
    pub about: Option<String>,
    /// `client_id` of who did it.
    pub actor: Option<String>,
    /// What happened, as in `user.logged_in`.
    pub what: Option<String>,
    /// The earliest time, RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    pub from: Option<String>,
    /// How many at most.
    #[schemars(range(min = 1, max = 100), example = 10)]
    pub limit: Option<u32>,
    /// The last event of the page before.
    pub cursor: Option<i64>,
}

/// What a query asks of a table.
#[derive(Debug)]
pub struct EventFilter {
    /// At this time or later.
    pub from: Option<DateTime<Utc>>,
    /// Rows of a page.
    limit: u32,
}

impl EventFilter {
    /// Rows to read: one more than a page has, which shows whether the list goes on.
    #[must_use]
    pub fn rows_max(&self) -> i64 {
        i64::from(self.limit) + 1
    }
}

impl EventQuery {
    /// Checks what is asked for, where only these things happen.
    ///
    /// # Errors
    /// 400 for a limit beyond 100, a time that is none, and a name that is not among these: a misspelt one would look as if
    /// nothing had happened.
    pub fn read<'n>(
        &self,
        names: impl Iterator<Item = &'n str> + Clone,
    ) -> Result<EventFilter, Problem> {
        if let Some(what) = &self.what
            && !names.clone().any(|name| name == what)
        {
            let all: Vec<_> = names.collect();
            return Err(bad(format!("what is one of {}", all.join(", "))));
        }
        let from = self.from.as_deref().map(|text| time("from", text));
        Ok(EventFilter {
            from: from.transpose()?,
            limit: page::limit(self.limit, ROWS_DEFAULT)?,
        })
    }

    /// The page of these rows, at this path.
    #[must_use]
    pub fn answer(&self, rows: Vec<Event>, filter: &EventFilter, path: &str) -> Response {
        let page = Page::cut(rows, filter.limit, path, |last| Self {
            cursor: Some(last.id),
            ..self.clone()
        });
        page.answer(|events, next| EventList { events, next })
    }
}

/// A page of events, the newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EventList {
    /// The newest first.
    pub events: Vec<Event>,
    /// Where the list goes on; `null` at its end. Also in the header `Link`.
    pub next: Option<String>,
}

/// Something that happened.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Event {
    /// In the order in which they were recorded.
    pub id: i64,
    /// When.
    #[serde(serialize_with = "timestamp::serialize")]
    pub at: DateTime<Utc>,
    /// As in `user.logged_in`.
    pub what: String,
    /// `client_id` of who did it; `null` when nobody was logged in.
    pub actor: Option<String>,
    /// Whom or what it is about.
    pub about: Option<String>,
    /// More, such as the address it came from.
    pub detail: Value,
}
