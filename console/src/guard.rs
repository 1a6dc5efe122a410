//! What holds for every page: what a browser may load and who may frame it, and that only our own pages send us forms.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::failure::Failure;
use crate::prefix::Prefix;

/// Everything comes from here, no script or style stands in a page, and nobody frames one.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Turns away what another site makes a browser send, and adds the headers of every page.
pub(crate) async fn guard(request: Request, next: Next) -> Response {
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD);
    let mut response = if is_safe || is_of_ours(request.headers()) {
        next.run(request).await
    } else {
        let prefix = Prefix::here();
        Failure::forbidden("this request comes from another site", &prefix).into_response()
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Browsers say where a request comes from, in one of two headers; a request with neither is no browser's, and has no cookie
/// that it did not set itself.
fn is_of_ours(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = text(HeaderName::from_static("sec-fetch-site")) {
        return matches!(site, "same-origin" | "none");
    }
    match (text(header::ORIGIN), text(header::HOST)) {
        (None, _) => true,
        (Some(origin), Some(host)) => {
            let origin = origin.split_once("://").map(|(_, host)| host);
            origin == Some(host)
        }
        (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_may_send_a_form() {
        let check = |lines: &[(&str, &str)], expected| {
            let lines = lines
                .iter()
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            let headers = HeaderMap::from_iter(lines);
            assert_eq!(is_of_ours(&headers), expected, "{headers:?}");
        };
        check(&[], true);
        check(&[("sec-fetch-site", "same-origin")], true);
        check(&[("sec-fetch-site", "none")], true);
        check(&[("sec-fetch-site", "same-site")], false);
        check(&[("sec-fetch-site", "cross-site")], false);
        let host = ("host", "bank.example:8080");
        check(&[("origin", "http://bank.example:8080"), host], true);
        check(&[("origin", "http://bank.example"), host], false);
        check(&[("origin", "null"), host], false);
        check(&[("origin", "http://bank.example:8080")], false);
        check(
            &[
                ("sec-fetch-site", "cross-site"),
                ("origin", "http://bank.example:8080"),
                host,
            ],
            false,
        );
    }
}
