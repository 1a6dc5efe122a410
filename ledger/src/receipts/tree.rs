//! The tree in the database: it follows the answers, in a task of its own, and signs its root at an interval and when
//! somebody asks for a receipt.
//!
//! Several ledgers may do so at once: of two that add the same answers, one moves the tree and the other starts again from
//! there.

use std::sync::Arc;
use std::time::Duration;

use common::service::now;
use sqlx::postgres::PgPool;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::leaf::Leaf;
use super::note::{PublicKey, SigningKey};
use crate::core::chain::{Chain, Digest};
use crate::core::merkle::{self, Edge, Tiles};
use crate::store::{self, CheckpointRow};

/// Answers that are added in one transaction: 8 tiles.
const LEAVES_MAX: usize = 2048;
/// How often the tree looks for new answers. It is behind by this at most, unless somebody asks.
const FOLLOW_INTERVAL: Duration = Duration::from_secs(1);
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
    /// The edge and the chain where the tree ends; `None` when it must be read first.
    grown: Mutex<Option<Grown>>,
}

struct Grown {
    edge: Edge,
    chain: Chain,
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

    /// Follows the answers for ever.
    pub(crate) async fn follow(&self) -> std::convert::Infallible {
        let mut signed_at = Instant::now();
        loop {
            let step = async {
                let grown = self.grow().await?;
                if self.key.is_some() && signed_at.elapsed() >= SIGN_INTERVAL {
                    match self.sign().await {
                        Ok(_) | Err(TreeError::Behind { .. }) => signed_at = Instant::now(),
                        Err(error) => return Err(error),
                    }
                }
                Ok::<_, TreeError>(grown)
            };
            let pause = match step.await {
                // Many small portions would cost the database more than a few large ones.
                Ok(grown) if grown < LEAVES_MAX => FOLLOW_INTERVAL,
                Ok(_) => PAUSE,
                Err(error) => {
                    tracing::warn!(%error, "the tree of receipts does not grow");
                    FOLLOW_INTERVAL
                }
            };
            tokio::time::sleep(pause).await;
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
            if Instant::now() > deadline || grown == 0 {
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

    /// Adds the next answers. Returns how many were there.
    async fn grow(&self) -> Result<usize, TreeError> {
        let mut held = self.grown.lock().await;
        let mut grown = match held.take() {
            Some(grown) => grown,
            None => self.read().await?,
        };
        let from = grown.edge.size();
        let rows = store::leaves_behind(&self.pool, from, LEAVES_MAX).await?;
        let count = rows.len();
        if count == 0 {
            *held = Some(grown);
            return Ok(0);
        }
        let mut tiles = Tiles::new();
        for row in rows {
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
            if row.chain != leaf.chain().0 {
                return Err(TreeError::Torn(seq));
            }
            grown.chain = leaf.chain();
            grown.edge.push(leaf.hash(), &mut tiles);
        }
        tiles.extend(grown.edge.tiles());
        let mut tx = self.pool.begin().await?;
        // No payment's commit shall wait for this one's: what a crash takes is made again. A checkpoint's own commit, which
        // must last, takes all that is before it to the disk.
        store::without_waiting_for_the_disk(&mut *tx).await?;
        if store::move_tree(&mut *tx, from, grown.edge.size()).await? {
            store::put_tiles(&mut *tx, &tiles).await?;
            tx.commit().await?;
            *held = Some(grown);
        }
        // Otherwise another ledger has moved it; from there it goes on.
        Ok(count)
    }

    async fn read(&self) -> Result<Grown, TreeError> {
        let size = store::tree_size(&self.pool).await?;
        let tiles = store::tiles(&self.pool, Edge::places(size)).await?;
        Ok(Grown {
            edge: Edge::of(size, &tiles).ok_or(TreeError::Torn(size))?,
            chain: store::chain_after(&self.pool, size).await?,
        })
    }

    /// Signs the tree as it is, unless it was signed so.
    async fn sign(&self) -> Result<CheckpointRow, TreeError> {
        let key = self.key.as_ref().ok_or(TreeError::NoKey)?;
        let held = self.grown.lock().await;
        let (size, root) = match &*held {
            Some(grown) => (grown.edge.size(), grown.edge.root()),
            None => {
                let grown = self.read().await?;
                (grown.edge.size(), grown.edge.root())
            }
        };
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
