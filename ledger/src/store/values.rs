//! Values on their way into the database and back.

use crate::core::chain::Digest;

/// One column of a set of rows, for `unnest`.
pub(super) fn column<'r, R, T>(rows: &'r [R], value: impl Fn(&'r R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

pub(super) fn bigint(seq: u64) -> i64 {
    i64::try_from(seq).expect("a stream would need 29 000 years at 10 million messages a second")
}

pub(super) fn from_bigint(seq: i64) -> u64 {
    u64::try_from(seq).expect("sequences are not negative")
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
