//! Values on their way into the database.

/// One column of the rows, as PostgreSQL takes it.
pub(super) fn column<'r, R, T>(rows: &'r [R], value: impl FnMut(&'r R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

/// PostgreSQL's texts hold no NUL, JSON's may.
pub(super) fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Where a page starts, the newest when nothing is named: no sequence comes near the largest number.
pub(super) fn before(sequence: Option<u64>) -> i64 {
    let sequence = sequence.and_then(|sequence| i64::try_from(sequence).ok());
    sequence.unwrap_or(i64::MAX)
}

pub(super) fn sequence(sequence: u64) -> i64 {
    i64::try_from(sequence)
        .expect("a broker that stores a million messages a second is there in 292 000 years")
}
