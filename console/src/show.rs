//! How values look: ids that can be copied, times that can be local, states with a colour, what a service did not say.

use askama::Template;
use askama::filters::HtmlSafe;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::Value;

use crate::prefix::Prefix;

/// An id that can be copied.
#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<span class="id">{% match href %}{% when Some(href) %}<a href="{{ href }}">{{ text }}</a>{% when None %}<code>{{ text }}</code>{% endmatch %}{% if self.is_copied %}<button type="button" class="copy" data-copy="{{ text }}" aria-label="Copy {{ text }}" hidden>copy</button>{% endif %}</span>"#
)]
pub(crate) struct Id {
    text: String,
    href: Option<String>,
    is_copied: bool,
}

impl HtmlSafe for Id {}

impl Id {
    /// An id alone.
    pub(crate) fn plain(text: impl ToString) -> Self {
        Self {
            text: text.to_string(),
            href: None,
            is_copied: true,
        }
    }

    /// An id that leads to its page.
    pub(crate) fn link(text: impl ToString, prefix: &Prefix, path: &str) -> Self {
        Self {
            text: text.to_string(),
            href: Some(prefix.at(path)),
            is_copied: true,
        }
    }

    /// An account's.
    pub(crate) fn account(id: impl ToString, prefix: &Prefix) -> Self {
        let id = id.to_string();
        let path = format!("/accounts/{id}");
        Self::link(id, prefix, &path)
    }

    /// A place in the log. It is short enough to be typed.
    pub(crate) fn seq(seq: u64, prefix: &Prefix) -> Self {
        Self {
            is_copied: false,
            ..Self::link(seq, prefix, &format!("/log/{seq}"))
        }
    }

    /// A payment's.
    pub(crate) fn payment(id: impl ToString, client_id: Option<&str>, prefix: &Prefix) -> Self {
        let id = id.to_string();
        let path = payment_path(&id, client_id);
        Self::link(id, prefix, &path)
    }
}

/// The page of a payment.
pub(crate) fn payment_path(id: &str, client_id: Option<&str>) -> String {
    match client_id {
        Some(client) => format!("/payments/{id}?client_id={client}"),
        None => format!("/payments/{id}"),
    }
}

/// A time: in UTC as it comes, in the reader's own time when asked for.
#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<time datetime="{{ iso }}" data-time>{{ shown }}</time>"#
)]
pub(crate) struct Time {
    iso: String,
    shown: String,
}

impl HtmlSafe for Time {}

impl Time {
    pub(crate) fn at(at: DateTime<Utc>) -> Self {
        Self {
            iso: at.to_rfc3339_opts(SecondsFormat::Millis, true),
            shown: at.format("%Y-%m-%d %H:%M:%S%.3f UTC").to_string(),
        }
    }

    /// A time in an answer; a dash where there is none.
    pub(crate) fn of(value: &Value) -> Self {
        match value.as_str().and_then(|text| text.parse().ok()) {
            Some(at) => Self::at(at),
            None => Self::none(),
        }
    }

    pub(crate) fn maybe(at: Option<DateTime<Utc>>) -> Self {
        at.map_or_else(Self::none, Self::at)
    }

    fn none() -> Self {
        Self {
            iso: String::new(),
            shown: "–".to_owned(),
        }
    }
}

/// A state in a word, with a colour that only repeats it.
#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<span class="state {{ class }}">{{ word }}{% match code %}{% when Some(code) %} {{ code }}{% when None %}{% endmatch %}</span>"#
)]
pub(crate) struct State {
    word: String,
    code: Option<String>,
    class: &'static str,
}

impl HtmlSafe for State {}

impl State {
    pub(crate) fn new(word: &str) -> Self {
        let class = match word {
            "settled" | "captured" | "opened" | "unfrozen" | "limited" | "noted" | "raised"
            | "open" | "active" | "ready" | "ok" | "agrees" | "fits" => "good",
            "rejected" | "revoked" | "frozen" | "debit_frozen" | "credit_frozen" | "closed"
            | "inactive" | "DOWN" | "failed" | "differs" | "does not fit" => "bad",
            "pending" | "authorised" | "retiring" | "degraded" | "running" | "making" => "wait",
            _ => "plain",
        };
        Self {
            word: word.replace('_', " "),
            code: None,
            class,
        }
    }

    pub(crate) fn with(mut self, code: Option<&str>) -> Self {
        self.code = code.map(str::to_owned);
        self
    }
}

/// What could not be had, in the place where it would stand. It must not look like nothing.
#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<p class="trouble" role="alert">{{ sentence }}</p>"#
)]
pub(crate) struct Trouble {
    sentence: String,
}

impl HtmlSafe for Trouble {}

impl Trouble {
    /// What is wrong, as a sentence without its full stop.
    pub(crate) fn of(sentence: String) -> Self {
        Self {
            sentence: format!("{sentence}."),
        }
    }
}

impl From<client::Error> for Trouble {
    fn from(error: client::Error) -> Self {
        Self {
            sentence: format!("{error}."),
        }
    }
}

/// What a source said, or why it said nothing.
pub(crate) type Source<T> = Result<T, Trouble>;

/// A length of time in its most readable unit.
pub(crate) fn duration(took: TimeDelta) -> String {
    let us = took
        .num_microseconds()
        .unwrap_or(i64::MAX)
        .max(0)
        .unsigned_abs();
    micros(us)
}

/// Microseconds in their most readable unit: `1.2 ms`.
pub(crate) fn micros(us: u64) -> String {
    let tenths = |of: u64| format!("{}.{}", us / of, us % of / (of / 10));
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{} ms", tenths(1_000)),
        _ => format!("{} s", tenths(1_000_000)),
    }
}

/// `2026-11-28T10:00` as the API writes it.
pub(crate) fn as_rfc3339(local: &str) -> String {
    match local.len() {
        16 => format!("{local}:00Z"),
        19 => format!("{local}Z"),
        _ => local.to_owned(),
    }
}

/// JSON as people read it.
pub(crate) fn pretty(json: &Value) -> String {
    serde_json::to_string_pretty(json).unwrap_or_default()
}

/// A count with thin spaces between thousands.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push('\u{202f}');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_in_units_that_people_read() {
        for (us, shown) in [
            (7, "7 µs"),
            (1_250, "1.2 ms"),
            (999_999, "999.9 ms"),
            (61_000_000, "61.0 s"),
        ] {
            assert_eq!(micros(us), shown);
        }
        assert_eq!(count(12), "12");
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
    }

    #[test]
    fn what_somebody_sent_is_text_and_nothing_else() {
        let id = Id::link("\"><script>", &Prefix::default(), "/log/1")
            .render()
            .unwrap();
        assert!(!id.contains("<script>"), "{id}");
    }
}
