//! The headers of a message, over the bytes that came or will go: a message allocates a buffer or two, not two per header.

use std::fmt::{Display, Write as _};
use std::ops::Range;

use memchr::memchr;

/// Headers in their order; a name may appear more than once. Names are compared with their case.
#[derive(Debug, Clone, Default)]
pub struct Headers {
    text: String,
    places: Vec<Place>,
}

#[derive(Debug, Clone)]
struct Place {
    name: Range<u32>,
    value: Range<u32>,
}

impl Place {
    fn new(name: Range<usize>, value: Range<usize>) -> Self {
        let short = |place: usize| u32::try_from(place).expect("the broker takes no such message");
        Self {
            name: short(name.start)..short(name.end),
            value: short(value.start)..short(value.end),
        }
    }
}

impl Headers {
    /// Reads a block as it is stored; `None` when any of it can't be read.
    ///
    /// As the client libraries do: lines end with LF or CRLF, blanks around a value don't count, and a line that begins
    /// with a blank goes on with the value above it.
    pub(crate) fn read(block: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(block).ok()?;
        if text.is_empty() {
            return Some(Self::default());
        }
        let mut headers = Self {
            text: text.to_owned(),
            places: Vec::with_capacity(12),
        };
        let offset = |part: &str| part.as_ptr().addr() - text.as_ptr().addr();
        let mut lines = lines(text).peekable();
        lines.next()?.strip_prefix(VERSION)?;
        while let Some(line) = lines.next() {
            if line.is_empty() {
                continue;
            }
            let (name, value) = line.split_once(':')?;
            if !name.bytes().all(|byte| byte.is_ascii_graphic()) {
                return None;
            }
            let start = offset(name);
            let name = start..start + name.len();
            let value = value.trim_start();
            let is_folded = |next: &&str| next.starts_with(char::is_whitespace);
            let value = if lines.peek().is_some_and(is_folded) {
                let start = headers.text.len();
                headers.text.push_str(value);
                while let Some(line) = lines.next_if(|line| is_folded(line)) {
                    headers.text.push_str(line);
                }
                start..start + headers.text[start..].trim_end().len()
            } else {
                let start = offset(value);
                start..start + value.trim_end().len()
            };
            if memchr(b'\r', headers.text[value.clone()].as_bytes()).is_some() {
                return None;
            }
            headers.places.push(Place::new(name, value));
        }
        // Thousands of tiny headers must not cost much more memory than their bytes.
        headers.places.shrink_to_fit();
        Some(headers)
    }

    /// The first value of a header.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_all(name).next()
    }

    /// All values of a header, in order.
    pub fn get_all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.iter()
            .filter(move |(other, _)| *other == name)
            .map(|(_, value)| value)
    }

    /// All names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let text = |place: &Range<u32>| {
            let long = |place| usize::try_from(place).expect("32 bits fit");
            &self.text[long(place.start)..long(place.end)]
        };
        self.places
            .iter()
            .map(move |place| (text(&place.name), text(&place.value)))
    }
}

/// As [`str::lines`], which is slow with a token of a thousand bytes.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = memchr(b'\n', rest.as_bytes());
        let line = &rest[..end.unwrap_or(rest.len())];
        rest = end.map_or("", |end| &rest[end + 1..]);
        // A CR counts as part of the end only in front of an LF.
        let without = line.strip_suffix('\r').filter(|_| end.is_some());
        Some(without.unwrap_or(line))
    })
}

/// Headers on their way out, as lines of the protocol.
#[derive(Debug, Clone, Default)]
pub struct HeaderLines(String);

impl HeaderLines {
    /// Empty, with room for as many bytes.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    /// Adds one at the end.
    ///
    /// # Panics
    /// When the value has a line break, which would be the end of it.
    pub fn add(&mut self, name: &str, value: impl Display) {
        let start = self.0.len();
        write!(self.0, "{name}: {value}").expect("a string takes everything");
        assert!(
            !self.0[start..].contains(['\r', '\n']),
            "a line break in the header {name}"
        );
        self.0.push_str("\r\n");
    }

    /// The lines, each with its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

/// What every block begins with; behind it on that line a server puts the status of a message of its own.
pub(crate) const VERSION: &str = "NATS/1.0";

impl<'t> FromIterator<(&'t str, &'t str)> for Headers {
    fn from_iter<I: IntoIterator<Item = (&'t str, &'t str)>>(headers: I) -> Self {
        let mut all = Self::default();
        for (name, value) in headers {
            let start = all.text.len();
            all.text.push_str(name);
            let between = all.text.len();
            all.text.push_str(value);
            all.places
                .push(Place::new(start..between, between..all.text.len()));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_or_given_up_and_never_panic() {
        let read = |block: &[u8]| {
            Headers::read(block).map(|headers| {
                let all: Vec<String> = headers
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                all.join(" ")
            })
        };
        for (block, expected) in [
            (&b""[..], ""),
            (b"NATS/1.0\r\n\r\n", ""),
            (b"NATS/1.0\r\nb: 2 \r\na:1\r\na: 3\r\n\r\n", "b=2 a=1 a=3"),
            (b"NATS/1.0\na: 1\n", "a=1"),
            (b"NATS/1.0\r\na: 1\r\r\n\r\n", "a=1"),
            (b"NATS/1.0\r\na:\r\n\r\n", "a="),
            (
                b"NATS/1.0\r\na: 1\r\n  2\r\nb: 3 \r\n\t4 \r\n\r\n",
                "a=1  2 b=3 \t4",
            ),
            (b"NATS/1.0 503\r\na: 1\r\n\r\n", "a=1"),
            ("NATS/1.0\r\na: \u{e9}\u{a0}\r\n\r\n".as_bytes(), "a=\u{e9}"),
        ] {
            assert_eq!(
                read(block).as_deref(),
                Some(expected),
                "{}",
                block.escape_ascii()
            );
        }
        for bad in [
            &b"NATS/1.0\r\nX: \xff\xfe\r\n\r\n"[..],
            b"NATS/1.0\r\nfoo\r\n\r\n",
            b"NATS/1.0\r\nX: a\rb\r\n\r\n",
            b"NATS/1.0\r\nX: a\r\n b\rc\r\n\r\n",
            b"NATS/1.0\r\nbad name: x\r\n\r\n",
            b"HTTP/1.1\r\nX: y\r\n\r\n",
        ] {
            assert_eq!(read(bad), None, "{}", bad.escape_ascii());
        }
    }

    #[test]
    #[should_panic(expected = "a line break in the header a")]
    fn no_value_makes_a_header_of_its_own() {
        HeaderLines::default().add("a", "1\r\nNats-Msg-Id: 2");
    }

    #[test]
    fn values_are_found_by_their_exact_name() {
        let headers: Headers = [("a", "1"), ("A", "2"), ("a", "3")].into_iter().collect();
        assert_eq!(headers.get("a"), Some("1"));
        assert_eq!(headers.get_all("a").collect::<Vec<_>>(), ["1", "3"]);
        assert_eq!(headers.get("b"), None);
    }
}
