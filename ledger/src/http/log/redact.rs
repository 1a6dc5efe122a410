//! Blots out what looks like a token in a text that somebody sent: a JWT begins with `eyJ` and has two dots.

use serde_json::Value;

/// What stands there instead.
const BLOT: &str = "[token]";

/// The text without tokens.
pub(super) fn redacted(text: &str) -> String {
    if !text.contains("eyJ") {
        return text.to_owned();
    }
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_of_token) {
        let (before, word) = rest.split_at(start);
        let end = word.find(|c: char| !is_of_token(c)).unwrap_or(word.len());
        let (word, after) = word.split_at(end);
        clean.push_str(before);
        clean.push_str(if is_token(word) { BLOT } else { word });
        rest = after;
    }
    clean.push_str(rest);
    clean
}

/// The value without tokens in its texts and names.
pub(super) fn redacted_json(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(redacted(&text)),
        Value::Array(items) => Value::Array(items.into_iter().map(redacted_json).collect()),
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(name, value)| (redacted(&name), redacted_json(value)))
                .collect(),
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

fn is_of_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// A signed token, or the two parts of it that whoever cut off the signature may have left.
fn is_token(word: &str) -> bool {
    word.find("eyJ")
        .is_some_and(|at| word[at..].contains(".eyJ"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn no_token_is_shown_wherever_it_stands() {
        let token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln-_A";
        for (text, shown) in [
            ("no token", "no token"),
            (token, BLOT),
            (&format!("Bearer {token}"), "Bearer [token]"),
            (&format!("a={token}&b={token}."), "a=[token]&b=[token]"),
            (&format!("x{token}"), BLOT),
            ("eyJhbGciOiJSUzI1NiJ9 alone", "eyJhbGciOiJSUzI1NiJ9 alone"),
            (&format!("ä{token}ö"), "ä[token]ö"),
        ] {
            assert_eq!(redacted(text), shown);
        }
        let shown = redacted_json(json!({"a": [token, 1], token: {"b": token}}));
        assert_eq!(shown, json!({"a": [BLOT, 1], BLOT: {"b": BLOT}}));
    }
}
