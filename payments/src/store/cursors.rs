//! How far each log is projected.

use sqlx::PgConnection;

use super::values::sequence;

/// A batch of a log: the sequences of its first and its last message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    pub(crate) first: u64,
    pub(crate) last: u64,
}

/// The last sequence of this stream that is projected.
pub(crate) async fn cursor(db: &mut PgConnection, stream: &str) -> sqlx::Result<u64> {
    let seq = sqlx::query_scalar!("select seq from cursor where stream = $1", stream)
        .fetch_one(db)
        .await?;
    Ok(u64::try_from(seq).expect("constraint cursor_seq_not_negative"))
}

/// Moves the cursor over a batch; `false` when it is not where the batch begins.
pub(crate) async fn advance_cursor(
    db: &mut PgConnection,
    stream: &str,
    range: Range,
) -> sqlx::Result<bool> {
    let moved = sqlx::query!(
        "update cursor set seq = $2 where stream = $1 and seq = $3::bigint - 1",
        stream,
        sequence(range.last),
        sequence(range.first),
    )
    .execute(db)
    .await?;
    Ok(moved.rows_affected() == 1)
}
