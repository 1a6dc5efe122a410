//! Where this service stands behind the gateway, which strips a prefix such as `/bank` and names it in a header.

use axum::http::HeaderMap;

/// Longest prefix, in bytes. Ours have under ten.
const BYTES_MAX: usize = 64;

/// What stands before this service's paths where the caller sees them: `/bank`, or nothing.
#[must_use]
pub fn prefix(headers: &HeaderMap) -> &str {
    headers
        .get("x-forwarded-prefix")
        .and_then(|value| value.to_str().ok())
        .map(|prefix| prefix.trim_end_matches('/'))
        .filter(|prefix| is_prefix(prefix))
        .unwrap_or_default()
}

/// It becomes part of pages, so it holds nothing that could be taken for HTML or for another host.
fn is_prefix(text: &str) -> bool {
    let is_plain = |part: &str| {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        !part.is_empty() && part.chars().all(is_allowed)
    };
    text.len() <= BYTES_MAX
        && text
            .strip_prefix('/')
            .is_some_and(|rest| rest.split('/').all(is_plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_plain_path_or_is_ignored() {
        let check = |sent: &str, expected: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-prefix", sent.parse().unwrap());
            assert_eq!(prefix(&headers), expected, "{sent}");
        };
        check("/bank", "/bank");
        check("/bank/", "/bank");
        check("/a/b", "/a/b");
        check("", "");
        check("/", "");
        check("bank", "");
        check("//evil.example", "");
        check("/\"><script>", "");
        check(&format!("/{}", "a".repeat(BYTES_MAX)), "");
        assert_eq!(prefix(&HeaderMap::new()), "");
    }
}
