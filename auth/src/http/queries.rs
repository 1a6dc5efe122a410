//! What queries of several lists say, and what is wrong with it.

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use common::http::problem::Problem;

/// The time that the parameter of this name says, RFC 3339.
pub(super) fn time(name: &str, text: &str) -> Result<DateTime<Utc>, Problem> {
    let time = DateTime::parse_from_rfc3339(text);
    let time = time.map_err(|_| bad(format!("{name} is a time like 2026-11-27T08:00:00Z")))?;
    Ok(time.to_utc())
}

/// Something that can't be asked.
pub(super) fn bad(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail)
}
