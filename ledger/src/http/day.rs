//! A day in a query: `2026-11-23`, and no other spelling.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// A day of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(extend("format" = "date"))]
pub(super) struct Day(pub(super) NaiveDate);

impl Day {
    fn read(text: &str) -> Option<Self> {
        let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        // chrono also reads `2026-1-1` and `+2026-01-01`.
        (text.len() == 10 && day.to_string() == text).then_some(Self(day))
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let day = Self::read(&text);
        day.ok_or_else(|| serde::de::Error::custom("no day such as 2026-11-23"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_one_spelling() {
        for (text, is_day) in [
            ("2026-11-23", true),
            ("2024-02-29", true),
            ("0001-01-01", true),
            ("2026-02-29", false),
            ("2026-1-1", false),
            ("+2026-01-01", false),
            ("2026-11-23 ", false),
            ("20261123", false),
            ("12026-11-23", false),
            ("2026-11-23T00:00:00Z", false),
            ("today", false),
            ("", false),
        ] {
            assert_eq!(Day::read(text).is_some(), is_day, "{text:?}");
        }
    }
}
