//! What the queries of several lists say, and what is wrong with it.

use axum::http::StatusCode;
use chrono::{DateTime, Utc};

use super::problem::Problem;

/// The time that the parameter of this name says, RFC 3339.
///
/// # Errors
/// 400 when it says none.
pub fn time(name: &str, text: &str) -> Result<DateTime<Utc>, Problem> {
    let time = DateTime::parse_from_rfc3339(text);
    let time = time.map_err(|_| bad(format!("{name} is a time like 2026-11-27T08:00:00Z")))?;
    Ok(time.to_utc())
}

/// Something that can't be asked.
#[must_use]
pub fn bad(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail)
}
