//! The Merkle tree over the answers, and what was signed of it.

use chrono::{DateTime, Utc};
use common::ids::AccountId;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::values::{bigint, bigint_asked, digest, from_bigint, unreadable};
use crate::core::chain::{Chain, Digest};
use crate::core::merkle::{Place, Tiles};

/// What a leaf is made of.
pub(crate) struct LeafRow {
    pub(crate) request_seq: i64,
    pub(crate) published_at: DateTime<Utc>,
    pub(crate) request_digest: Vec<u8>,
    pub(crate) body: Vec<u8>,
    pub(crate) chain: Vec<u8>,
}

/// The answers behind this one, in order.
pub(crate) async fn leaves_behind(
    db: impl PgExecutor<'_>,
    seq: u64,
    rows_max: usize,
) -> sqlx::Result<Vec<LeafRow>> {
    let rows = sqlx::query_as!(
        LeafRow,
        "select request_seq, published_at, request_digest, body, chain from answer
         where request_seq > $1 order by request_seq limit $2",
        bigint(seq),
        i64::try_from(rows_max).unwrap_or(i64::MAX),
    );
    rows.fetch_all(db).await
}

/// The commit of this transaction does not wait for the disk: a crash may take it, as a whole.
pub(crate) async fn without_waiting_for_the_disk(db: impl PgExecutor<'_>) -> sqlx::Result<()> {
    sqlx::query!("set local synchronous_commit = off")
        .execute(db)
        .await
        .map(drop)
}

/// The chain after this answer; as it begins when there is none.
pub(crate) async fn chain_after(db: impl PgExecutor<'_>, seq: u64) -> sqlx::Result<Chain> {
    let chain = sqlx::query_scalar!(
        "select chain from answer where request_seq = $1",
        bigint(seq)
    );
    let chain = chain.fetch_optional(db).await?;
    Ok(Chain(match chain {
        Some(chain) => digest(chain)?,
        None => Chain::START.0,
    }))
}

/// How many answers are in the tree.
pub(crate) async fn tree_size(db: impl PgExecutor<'_>) -> sqlx::Result<u64> {
    let size = sqlx::query_scalar!("select size from tree");
    from_bigint(size.fetch_one(db).await?)
}

/// Moves the tree from one size to another; `false` when it is not there: another ledger was faster.
pub(crate) async fn move_tree(db: impl PgExecutor<'_>, from: u64, to: u64) -> sqlx::Result<bool> {
    let moved = sqlx::query!(
        "update tree set size = $2 where size = $1",
        bigint(from),
        bigint(to)
    );
    Ok(moved.execute(db).await?.rows_affected() == 1)
}

/// Adds tiles, and hashes to those that are there.
pub(crate) async fn put_tiles(db: impl PgExecutor<'_>, tiles: &Tiles) -> sqlx::Result<()> {
    let (levels, numbers): (Vec<i16>, Vec<i64>) = tiles
        .keys()
        .map(|place| (i16::from(place.level), bigint(place.number)))
        .unzip();
    let hashes: Vec<Vec<u8>> = tiles.values().map(|hashes| hashes.concat()).collect();
    sqlx::query!(
        "insert into tile (level, number, hashes) select * from unnest($1::smallint[], $2::bigint[], $3::bytea[])
         on conflict (level, number) do update set hashes = excluded.hashes",
        &levels,
        &numbers,
        &hashes,
    )
    .execute(db)
    .await
    .map(drop)
}

/// The tiles at these places, as far as they exist.
pub(crate) async fn tiles(
    db: impl PgExecutor<'_>,
    places: impl IntoIterator<Item = Place>,
) -> sqlx::Result<Tiles> {
    let (levels, numbers): (Vec<i16>, Vec<i64>) = places
        .into_iter()
        .map(|place| (i16::from(place.level), bigint(place.number)))
        .unzip();
    let rows = sqlx::query!(
        "select tile.level, tile.number, hashes
         from tile join unnest($1::smallint[], $2::bigint[]) as asked (level, number)
         on tile.level = asked.level and tile.number = asked.number",
        &levels,
        &numbers,
    );
    let rows = rows.fetch_all(db).await?.into_iter().map(|row| {
        let level = u8::try_from(row.level)
            .map_err(|_| unreadable(format!("a tile has level {}", row.level)))?;
        let number = from_bigint(row.number)?;
        let hashes = row.hashes.chunks(32).map(|hash| digest(hash.to_vec()));
        Ok((
            Place { level, number },
            hashes.collect::<sqlx::Result<_>>()?,
        ))
    });
    rows.collect()
}

/// A signed root.
#[derive(Debug, Clone)]
pub(crate) struct CheckpointRow {
    pub(crate) size: u64,
    pub(crate) root: Digest,
    pub(crate) note: String,
    pub(crate) signed_at: DateTime<Utc>,
}

/// The newest checkpoint up to this size; the newest of all for the largest.
pub(crate) async fn checkpoint_up_to(
    db: impl PgExecutor<'_>,
    size: u64,
) -> sqlx::Result<Option<CheckpointRow>> {
    let row = sqlx::query!(
        "select size, root, note, signed_at from checkpoint where size <= $1 order by size desc limit 1",
        bigint_asked(size)
    );
    let Some(row) = row.fetch_optional(db).await? else {
        return Ok(None);
    };
    Ok(Some(CheckpointRow {
        size: from_bigint(row.size)?,
        root: digest(row.root)?,
        note: row.note,
        signed_at: row.signed_at,
    }))
}

/// Keeps a checkpoint. Of two ledgers that sign one size, the first one's stays.
pub(crate) async fn put_checkpoint(
    db: impl PgExecutor<'_>,
    checkpoint: &CheckpointRow,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into checkpoint (size, root, note, signed_at) values ($1, $2, $3, $4) on conflict do nothing",
        bigint(checkpoint.size),
        &checkpoint.root,
        &checkpoint.note,
        checkpoint.signed_at,
    )
    .execute(db)
    .await
    .map(drop)
}

/// Whether one of these accounts has this owner, in any of these spellings.
pub(crate) async fn owns_one(
    db: impl PgExecutor<'_>,
    accounts: &[AccountId],
    owners: &[String],
) -> sqlx::Result<bool> {
    let ids: Vec<Uuid> = accounts.iter().map(|id| id.0).collect();
    let owns = sqlx::query_scalar!(
        r#"select exists (select from account where id = any($1) and owner = any($2)) as "owns!""#,
        &ids,
        owners,
    );
    owns.fetch_one(db).await
}

/// What a receipt says of an answer.
pub(crate) struct AnsweredRow {
    pub(crate) client_id: Option<String>,
    pub(crate) published_at: DateTime<Utc>,
    pub(crate) request: Digest,
    pub(crate) body: Vec<u8>,
}

/// The answer to this request.
pub(crate) async fn answered(
    db: impl PgExecutor<'_>,
    seq: u64,
) -> sqlx::Result<Option<AnsweredRow>> {
    let row = sqlx::query!(
        "select client_id, published_at, request_digest, body from answer where request_seq = $1",
        bigint_asked(seq)
    );
    let Some(row) = row.fetch_optional(db).await? else {
        return Ok(None);
    };
    Ok(Some(AnsweredRow {
        client_id: row.client_id,
        published_at: row.published_at,
        request: digest(row.request_digest)?,
        body: row.body,
    }))
}
