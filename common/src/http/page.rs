//! Lists: how long they are, and how they go on.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use super::prefix;
use super::problem::Problem;

/// Rows of a list at most.
const ROWS_MAX: u32 = 100;

/// How many rows a caller wants, or else gets.
///
/// # Errors
/// 400 outside of 1 to 100.
pub fn limit(asked: Option<u32>, default: u32) -> Result<u32, Problem> {
    limit_within(asked, default, ROWS_MAX)
}

/// As [`limit`], of a list with a longest page of its own.
///
/// # Errors
/// 400 outside of 1 to `most`.
pub fn limit_within(asked: Option<u32>, default: u32, most: u32) -> Result<u32, Problem> {
    let limit = asked.unwrap_or(default);
    if (1..=most).contains(&limit) {
        Ok(limit)
    } else {
        let detail = format!("limit is 1 to {most}");
        Err(Problem::new(StatusCode::BAD_REQUEST, detail))
    }
}

/// A path of this service with a query, as a path at this host.
///
/// # Panics
/// When the query can't be written as one, which is a mistake in its type.
pub fn path_with(path: &str, query: &impl Serialize) -> String {
    let query = serde_urlencoded::to_string(query);
    let query = query.expect("a flat struct of texts and numbers");
    format!("{}{path}?{query}", prefix::here())
}

/// `Link: <…>; rel="next"` (RFC 8288).
///
/// # Panics
/// When the address is not percent-encoded.
#[must_use]
pub fn link_to(next: &str) -> (HeaderName, HeaderValue) {
    let link = format!("<{next}>; rel=\"next\"");
    let value = HeaderValue::try_from(link).expect("a query is percent-encoded");
    (header::LINK, value)
}

/// A part of a list.
#[derive(Debug)]
pub struct Page<R> {
    /// At most as many as were asked for.
    pub rows: Vec<R>,
    /// Where the list goes on, as a path at this host; `None` at its end.
    pub next: Option<String>,
}

impl<R> Page<R> {
    /// Makes a page of rows that were read with a limit of one more than asked for: that one shows whether the list
    /// goes on. `next_query` gives the query that begins behind a row.
    ///
    /// # Panics
    /// When the query can't be written as one, which is a mistake in its type.
    #[must_use]
    pub fn cut<Q: Serialize>(
        mut rows: Vec<R>,
        limit: u32,
        path: &str,
        next_query: impl FnOnce(&R) -> Q,
    ) -> Self {
        let limit = usize::try_from(limit).expect("at most ROWS_MAX");
        let goes_on = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| goes_on);
        let next = next.map(|last| path_with(path, &next_query(last)));
        Self { rows, next }
    }

    /// The answer: the body that `list` makes of the rows and of where the list goes on, which the header `Link` says too.
    pub fn answer<L: Serialize>(self, list: impl FnOnce(Vec<R>, Option<String>) -> L) -> Response {
        let link = self.link();
        let list = list(self.rows, self.next);
        (link.map(|link| [link]), Json(list)).into_response()
    }

    /// `Link: <…>; rel="next"` (RFC 8288), if the list goes on.
    #[must_use]
    pub fn link(&self) -> Option<(HeaderName, HeaderValue)> {
        self.next.as_deref().map(link_to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Query {
        owner: Option<&'static str>,
        after: u32,
    }

    fn check(rows: u32, limit: u32, owner: Option<&'static str>, expected: Option<&str>) {
        let page = Page::cut((1..=rows).collect(), limit, "/things", |last| Query {
            owner,
            after: *last,
        });
        assert_eq!(page.next.as_deref(), expected, "{rows} rows");
        assert!(page.rows.len() <= usize::try_from(limit).unwrap());
        let link = page.link().map(|(_, value)| value);
        let expected = expected.map(|next| format!("<{next}>; rel=\"next\""));
        assert_eq!(
            link.as_ref().map(HeaderValue::as_bytes),
            expected.as_ref().map(String::as_bytes)
        );
    }

    #[test]
    fn a_full_page_says_where_the_list_goes_on() {
        check(0, 2, None, None);
        check(2, 2, None, None);
        check(3, 2, None, Some("/things?after=2"));
        check(
            3,
            2,
            Some("a&b=\u{e9}"),
            Some("/things?owner=a%26b%3D%C3%A9&after=2"),
        );
    }

    #[test]
    fn a_limit_is_refused_or_kept() {
        for (asked, expected) in [
            (None, Some(50)),
            (Some(1), Some(1)),
            (Some(100), Some(100)),
            (Some(0), None),
            (Some(101), None),
        ] {
            assert_eq!(limit(asked, 50).ok(), expected, "{asked:?}");
        }
    }
}
