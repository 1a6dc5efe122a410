//! Under which path the console is seen. A gateway says so in `X-Forwarded-Prefix`; alone it is seen at the root.

use axum::http::HeaderMap;

/// The header that a gateway sets.
const HEADER: &str = "x-forwarded-prefix";
/// Longer than any prefix that somebody would choose.
const CHARS_MAX: usize = 64;

/// What stands before every path of ours, such as `/admin`; empty at the root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Prefix(String);

impl Prefix {
    /// Of a request. What is no plain path counts as none: whoever sends it sees links that lead nowhere, and nobody else does.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let value = headers.get(HEADER).and_then(|value| value.to_str().ok());
        let value = value.unwrap_or_default().trim_end_matches('/');
        let is_path = value.len() <= CHARS_MAX
            && value.starts_with('/')
            && !value.starts_with("//")
            && value.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"/-".contains(&byte)
            });
        Self(if is_path {
            value.to_owned()
        } else {
            String::new()
        })
    }

    /// A path of ours as a browser must ask for it.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_path_is_a_prefix() {
        for (sent, expected) in [
            ("/admin", "/admin/log"),
            ("/admin/", "/admin/log"),
            ("/a/b-1", "/a/b-1/log"),
            ("", "/log"),
            ("/", "/log"),
            ("//evil.example", "/log"),
            ("https://evil.example", "/log"),
            ("/a\"onload=", "/log"),
            ("/../x", "/log"),
        ] {
            let headers = HeaderMap::from_iter([(HEADER.parse().unwrap(), sent.parse().unwrap())]);
            assert_eq!(Prefix::of(&headers).at("/log"), expected, "{sent}");
        }
    }
}
