//! Values on their way into the database and back.

use crate::core::chain::Digest;

/// One column of a set of rows, for `unnest`.
pub(super) fn column<'r, R, T>(rows: &'r [R], value: impl Fn(&'r R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

pub(super) fn bigint(seq: u64) -> i64 {
    i64::try_from(seq).expect("a stream would need 29 000 years at 10 million messages a second")
}

/// A number that a caller asks for. Nothing that we number comes near the largest, so all beyond it are the same.
pub(super) fn bigint_asked(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn from_bigint(seq: i64) -> sqlx::Result<u64> {
    let number = u64::try_from(seq);
    number.map_err(|_| {
        unreadable(format!(
            "the database has {seq} where no number is negative"
        ))
    })
}

/// The version of rules.
pub(super) fn rules_version(version: i32) -> sqlx::Result<u32> {
    let number = u32::try_from(version);
    number.map_err(|_| {
        unreadable(format!(
            "the rules in the database were raised to {version}"
        ))
    })
}

pub(super) fn digest(bytes: Vec<u8>) -> sqlx::Result<Digest> {
    bytes
        .try_into()
        .map_err(|_| unreadable("a digest in the database is no SHA-256".to_owned()))
}

/// Somebody has changed the tables behind our back: an error that names the place, for whoever audits.
pub(super) fn unreadable(what: String) -> sqlx::Error {
    sqlx::Error::Decode(what.into())
}
