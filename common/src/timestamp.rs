//! Times on the wire: UTC with six decimals, `2026-11-23T17:20:21.000042Z`.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize as _, Serializer};

/// The text on the wire.
#[must_use]
pub fn text(time: &DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Writes the text on the wire.
///
/// # Errors
/// The serializer's own.
pub fn serialize<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text(time))
}

/// Writes the text on the wire, or `null`.
///
/// # Errors
/// The serializer's own.
pub fn serialize_or_null<S: Serializer>(
    time: &Option<DateTime<Utc>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    time.as_ref().map(text).serialize(serializer)
}

/// Reads any RFC 3339 time.
///
/// # Errors
/// When it is not one.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
    DateTime::<Utc>::deserialize(deserializer)
}
