//! The tree in the database: it follows the answers behind the leader's writing, and signs its root at an interval and
//! when somebody asks for a receipt.
//!
//! The leader hands over what it has committed; whatever else is missing is read from the database. Several ledgers may add
//! at once: of two that add the same answers, one moves the tree and the other starts again from there.

use std::sync::Arc;
use std::time::Duration;

use common::service::now;
use common::tile::Tile;
use sqlx::postgres::PgPool;
use tokio::sync::{Mutex, mpsc};
use tokio::time::Instant;

use super::leaf::Leaf;
use super::note::{PublicKey, SigningKey};
use crate::busy::work_through;
use crate::core::batch::Batch;
use crate::core::chain::{Chain, Digest, sha256};
use crate::core::merkle::{self, Edge, Place, Tiles};
use crate::receipts::shared::shared_form;
use crate::store::{self, CheckpointRow, LeafRow};

/// Answers that are read and added in one transaction: 8 tiles.
const LEAVES_MAX: usize = 2048;
/// How often the tree is written. It is behind by this at most, unless somebody asks.
const FOLLOW_INTERVAL: Duration = Duration::from_secs(1);
/// What is committed within this time is added at once: on few cores, waking up for each small batch costs more than its
/// leaves.
const GATHER_INTERVAL: Duration = Duration::from_millis(10);
/// How often the root is signed while answers come: half a million checkpoints a year, of 300 bytes each.
const SIGN_INTERVAL: Duration = Duration::from_secs(60);
/// Between two portions, so that an old bank's tree does not take the database from its payments.
const PAUSE: Duration = Duration::from_millis(5);
/// How long somebody who asks for a receipt waits for a tree that is far behind.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why there is no receipt now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TreeError {
    /// The ledger was started without a key.
    #[error("this ledger has no key to sign receipts with (QUITTANCE_RECEIPT_KEY)")]
    NoKey,
    /// Its tree is being made.
    #[error("the tree over the answers has {size} of {wanted}; ask again later")]
    Behind {
        /// Leaves so far.
        size: u64,
        /// Leaves that were asked for.
        wanted: u64,
    },
    /// The tables do not hold together.
    #[error("the tree of {0} leaves in the database is not that of its answers")]
    Torn(u64),
    /// The database.
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
}

/// The tree, and the key that signs it.
pub(crate) struct Tree {
    pool: PgPool,
    key: Option<SigningKey>,
    /// `None` when it must be read first.
    grown: Mutex<Option<Grown>>,
}

/// Where the tree ends.
struct Grown {
    edge: Edge,
    chain: Chain,
    /// How many of its leaves are in the database, and the full tiles behind these.
    written: u64,
    unwritten: Tiles,
}

impl Grown {
    /// Adds a leaf behind which the chain must be this; `false` when it is another.
    fn push(&mut self, leaf: &Leaf, chain: &[u8]) -> bool {
        let found = leaf.chain();
        if found.0 != chain {
            return false;
        }
        self.chain = found;
        self.edge.push(leaf.hash(), &mut self.unwritten);
        true
    }

    /// Adds what it lacks of a batch, unless there is a gap before it; `false` when the batch follows another chain.
    fn add(&mut self, batch: &Batch) -> bool {
        if self.edge.size() < batch.from.seq {
            return true;
        }
        let mut before = batch.from.chain;
        for decided in &batch.decided {
            let at = decided.request.at;
            if at.seq > self.edge.size() {
                if before != self.chain {
                    return false;
                }
                let leaf = Leaf {
                    chain_before: before,
                    seq: at.seq,
                    published_at: at.published_at,
                    request: decided.request.digest,
                    answer: decided.body_digest,
                    shared: sha256(&shared_form(&decided.body)),
                };
                self.edge.push(leaf.hash(), &mut self.unwritten);
                self.chain = decided.chain;
            }
            before = decided.chain;
        }
        true
    }

    fn is_written(&self) -> bool {
        self.edge.size() == self.written
    }
}

impl Tree {
    pub(crate) fn new(pool: PgPool, key: Option<SigningKey>) -> Arc<Self> {
        Arc::new(Self {
            pool,
            key,
            grown: Mutex::new(None),
        })
    }

    /// The key that signs.
    pub(crate) fn key(&self) -> Result<PublicKey, TreeError> {
        self.key
            .as_ref()
            .map(SigningKey::public)
            .ok_or(TreeError::NoKey)
    }

    /// Follows the answers for ever; those that are handed over as `committed` need not be read again.
    pub(crate) async fn follow(
        &self,
        mut committed: mpsc::Receiver<Arc<Batch>>,
    ) -> std::convert::Infallible {
        // The database may have lost what it had not yet on its disk, or have been restored.
        *self.grown.lock().await = None;
        let mut signed_at = Instant::now();
        let mut due = Instant::now();
        loop {
            while let Ok(Some(first)) = tokio::time::timeout_at(due, committed.recv()).await {
                self.add(&first).await;
                while let Ok(next) = committed.try_recv() {
                    self.add(&next).await;
                }
                tokio::time::sleep_until(due.min(Instant::now() + GATHER_INTERVAL)).await;
                if Instant::now() >= due {
                    break;
                }
            }
            // Nobody hands anything over any more.
            tokio::time::sleep_until(due).await;
            let step = async {
                let read = self.grow().await?;
                if self.key.is_some() && signed_at.elapsed() >= SIGN_INTERVAL {
                    match self.sign().await {
                        Ok(_) | Err(TreeError::Behind { .. }) => signed_at = Instant::now(),
                        Err(error) => return Err(error),
                    }
                }
                Ok::<_, TreeError>(read)
            };
            let pause = match step.await {
                Ok(Growth::Read(LEAVES_MAX)) => PAUSE,
                // Many small portions would cost the database more than a few large ones.
                Ok(_) => FOLLOW_INTERVAL,
                Err(error) => {
                    tracing::warn!(%error, "the tree of receipts does not grow");
                    FOLLOW_INTERVAL
                }
            };
            due = Instant::now() + pause;
        }
    }

    /// Adds a batch that is committed, if the tree ends where it begins or within it.
    async fn add(&self, batch: &Batch) {
        let mut held = self.grown.lock().await;
        let Some(grown) = &mut *held else {
            return;
        };
        let bytes = batch.decided.iter().map(|one| one.body.len()).sum();
        let is_ours = work_through(batch.decided.len(), bytes, || grown.add(batch));
        // What is read next tells where it differs.
        if !is_ours {
            *held = None;
        }
    }

    /// A checkpoint over at least so many answers, which must be decided; made now if need be.
    ///
    /// # Errors
    /// [`TreeError`].
    pub(crate) async fn checkpoint_over(&self, wanted: u64) -> Result<CheckpointRow, TreeError> {
        if let Some(newest) = store::checkpoint_up_to(&self.pool, u64::MAX).await?
            && newest.size >= wanted
        {
            return Ok(newest);
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let grown = self.grow().await?;
            let size = store::tree_size(&self.pool).await?;
            if size >= wanted {
                return self.sign().await;
            }
            if Instant::now() > deadline || matches!(grown, Growth::Read(0)) {
                return Err(TreeError::Behind { size, wanted });
            }
        }
    }

    /// The hashes from leaf `index` to the root of the tree of this size.
    pub(crate) async fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Digest>, TreeError> {
        let places = merkle::inclusion_places(index, size);
        let tiles = store::tiles(&self.pool, places).await?;
        merkle::inclusion(index, size, &tiles).ok_or(TreeError::Torn(size))
    }

    /// What shows that the tree of `old` leaves is the beginning of that of `size`.
    pub(crate) async fn consistency(&self, old: u64, size: u64) -> Result<Vec<Digest>, TreeError> {
        let places = merkle::consistency_places(old, size);
        let tiles = store::tiles(&self.pool, places).await?;
        merkle::consistency(old, size, &tiles).ok_or(TreeError::Torn(size))
    }

    /// The hashes of a tile, one behind the other, as far as the newest checkpoint goes; `None` beyond it.
    pub(crate) async fn tile(&self, asked: Tile) -> Result<Option<Vec<u8>>, TreeError> {
        let newest = store::checkpoint_up_to(&self.pool, u64::MAX).await?;
        let size = newest.map_or(0, |newest| newest.size);
        let place = Place {
            level: asked.level,
            number: asked.number,
        };
        if place.hashes(size) < asked.width {
            return Ok(None);
        }
        let tiles = store::tiles(&self.pool, [place]).await?;
        let hashes = tiles.get(&place);
        let hashes = hashes.and_then(|hashes| hashes.get(..asked.width));
        Ok(Some(hashes.ok_or(TreeError::Torn(size))?.concat()))
    }

    /// Writes what was handed over, or else reads the next answers and writes them.
    async fn grow(&self) -> Result<Growth, TreeError> {
        let mut held = self.grown.lock().await;
        let mut grown = self.take(&mut held).await?;
        let growth = if !grown.is_written() {
            Growth::HandedOver
        } else {
            let rows = store::leaves_behind(&self.pool, grown.written, LEAVES_MAX).await?;
            let count = rows.len();
            for row in rows {
                push_row(&mut grown, &row)?;
            }
            Growth::Read(count)
        };
        if matches!(growth, Growth::Read(0)) || self.write(&mut grown).await? {
            *held = Some(grown);
        }
        // Otherwise another ledger has moved it; from there it goes on.
        Ok(growth)
    }

    /// Writes the leaves that are not in the database; `false` when the tree there is not where it was.
    async fn write(&self, grown: &mut Grown) -> Result<bool, TreeError> {
        let mut tiles = std::mem::take(&mut grown.unwritten);
        tiles.extend(grown.edge.tiles());
        let mut tx = self.pool.begin().await?;
        // No payment's commit shall wait for this one's: what a crash takes is made again. A checkpoint's own commit, which
        // must last, takes all that is before it to the disk.
        store::without_waiting_for_the_disk(&mut *tx).await?;
        let size = grown.edge.size();
        if !store::move_tree(&mut *tx, grown.written, size).await? {
            return Ok(false);
        }
        store::put_tiles(&mut *tx, &tiles).await?;
        tx.commit().await?;
        grown.written = size;
        Ok(true)
    }

    /// Where the tree ends, as it is held or read. It is put back when all went well, so that a failure forgets it.
    async fn take(&self, held: &mut Option<Grown>) -> Result<Grown, TreeError> {
        match held.take() {
            Some(grown) => Ok(grown),
            None => self.read().await,
        }
    }

    async fn read(&self) -> Result<Grown, TreeError> {
        let size = store::tree_size(&self.pool).await?;
        let tiles = store::tiles(&self.pool, Edge::places(size)).await?;
        Ok(Grown {
            edge: Edge::of(size, &tiles).ok_or(TreeError::Torn(size))?,
            chain: store::chain_after(&self.pool, size).await?,
            written: size,
            unwritten: Tiles::new(),
        })
    }

    /// Signs the tree as it is, unless it was signed so.
    async fn sign(&self) -> Result<CheckpointRow, TreeError> {
        let key = self.key.as_ref().ok_or(TreeError::NoKey)?;
        let mut held = self.grown.lock().await;
        let mut grown = self.take(&mut held).await?;
        // Whoever has a signed root can ask for the tiles below it.
        if !grown.is_written() && !self.write(&mut grown).await? {
            grown = self.read().await?;
        }
        let (size, root) = (grown.edge.size(), grown.edge.root());
        *held = Some(grown);
        if let Some(signed) = store::checkpoint_up_to(&self.pool, size).await?
            && (signed.size == size || size == 0)
        {
            return Ok(signed);
        }
        if size == 0 {
            return Err(TreeError::Behind { size, wanted: 1 });
        }
        let row = CheckpointRow {
            size,
            root,
            note: key.sign(size, root),
            signed_at: now(),
        };
        store::put_checkpoint(&self.pool, &row).await?;
        Ok(row)
    }
}

/// How the tree grew.
enum Growth {
    /// By what the leader had handed over.
    HandedOver,
    /// By so many answers that were read.
    Read(usize),
}

fn push_row(grown: &mut Grown, row: &LeafRow) -> Result<(), TreeError> {
    let seq = grown.edge.size() + 1;
    let request = Digest::try_from(&row.request_digest[..]);
    let (Ok(request), Ok(found)) = (request, u64::try_from(row.request_seq)) else {
        return Err(TreeError::Torn(seq));
    };
    if found != seq {
        return Err(TreeError::Torn(seq));
    }
    let leaf = Leaf::of(grown.chain, seq, row.published_at, request, &row.body);
    // Never a receipt for a row that was changed: `audit verify` names it.
    if !grown.push(&leaf, &row.chain) {
        return Err(TreeError::Torn(seq));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
