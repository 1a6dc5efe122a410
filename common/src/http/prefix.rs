//! The path under which a gateway shows a service: `/bank`, as `X-Forwarded-Prefix` says. Links carry it.
//!
//! A service knows its own paths only. While a request is answered, [`here`] tells what stands in front of them; `Location`
//! gets it at the end. Whoever sends the header without a gateway changes the links of their own answer and nobody else's:
//! it is plain path segments, and what has links is kept by nobody (`Cache-Control: no-store`).

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

static X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
/// Longer than any that somebody would choose.
const LENGTH_MAX: usize = 64;

tokio::task_local! {
    static PREFIX: String;
}

/// What stands in front of the paths of this service: `/bank`, or nothing.
#[must_use]
pub fn here() -> String {
    PREFIX.try_with(Clone::clone).unwrap_or_default()
}

/// Notes the prefix for the handler, and puts it in front of a `Location` of this service.
pub(super) async fn carry(request: Request, next: Next) -> Response {
    let Some(prefix) = of(request.headers()).map(str::to_owned) else {
        return next.run(request).await;
    };
    let mut response = PREFIX.scope(prefix.clone(), next.run(request)).await;
    let location = response.headers().get(header::LOCATION);
    let moved = location.and_then(|location| {
        let path = location.to_str().ok()?;
        // `//host/path` is another host.
        let is_ours = path.starts_with('/') && !path.starts_with("//");
        is_ours.then(|| HeaderValue::try_from(format!("{prefix}{path}")).ok())?
    });
    if let Some(moved) = moved {
        response.headers_mut().insert(header::LOCATION, moved);
    }
    response
}

/// The prefix that one header names: segments of letters, digits and `-._~`, and no `.` or `..` among them.
fn of(headers: &HeaderMap) -> Option<&str> {
    let mut named = headers.get_all(&X_FORWARDED_PREFIX).iter();
    let (Some(prefix), None) = (named.next(), named.next()) else {
        return None;
    };
    let prefix = prefix.to_str().ok()?;
    let is_segment = |segment: &str| {
        let mut characters = segment.chars();
        !matches!(segment, "" | "." | "..")
            && characters.all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c))
    };
    let mut segments = prefix.strip_prefix('/')?.split('/');
    (prefix.len() <= LENGTH_MAX && segments.all(is_segment)).then_some(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[&str], expected: Option<&str>) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(&X_FORWARDED_PREFIX, HeaderValue::from_str(value).unwrap());
        }
        assert_eq!(of(&headers), expected, "{values:?}");
    }

    #[test]
    fn a_prefix_is_plain_segments_or_none() {
        check(&[], None);
        check(&["/bank"], Some("/bank"));
        check(&["/eu/bank-1"], Some("/eu/bank-1"));
        for wrong in [
            "",
            "/",
            "bank",
            "//evil.example",
            "/bank/",
            "/a//b",
            "/..",
            "/a/./b",
            "/a?b",
            "/a#b",
            "/a b",
            "/<a>",
            "/a\\b",
            "/a%2fb",
            "https://evil.example",
        ] {
            check(&[wrong], None);
        }
        check(&["/bank", "/evil"], None);
        check(&[&format!("/{}", "a".repeat(LENGTH_MAX))], None);
    }
}
