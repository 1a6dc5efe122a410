//! The tree of receipts: each tile is what the answers lead to, and every root that was signed is still the tree's.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::fault;
use crate::audit::error::Stop;
use crate::core::chain::{Chain, Cursor, Digest, sha256};
use crate::core::merkle::{Edge, Place, Tiles};
use crate::receipts::leaf::Leaf;
use crate::store;

/// Tiles that are read at a time, of 8 KiB.
const PORTION: i64 = 256;

/// The tree as the answers lead to it, up to where the database's own ends.
pub(super) struct Made {
    size: u64,
    edge: Edge,
    /// SHA-256 of each full tile: the tiles themselves would take a twentieth of the books.
    full: BTreeMap<Place, Digest>,
    /// Roots that were signed, by size; those that were met are taken out.
    signed: BTreeMap<u64, Digest>,
}

impl Made {
    pub(super) async fn start(db: &mut PgConnection, cursor: Cursor) -> Result<Self, Stop> {
        let size = store::tree_size(&mut *db).await?;
        let signed = store::signed_roots(&mut *db).await?;
        let last = signed.last_key_value().map_or(0, |(size, _)| *size);
        if size > cursor.seq || last > size {
            let decided = cursor.seq;
            return fault(format!(
                "a tree of {last} answers was signed, there is one of {size}, and {decided} are decided"
            ));
        }
        Ok(Self {
            size,
            edge: Edge::default(),
            full: BTreeMap::new(),
            signed,
        })
    }

    /// Adds the next answer.
    pub(super) fn add(&mut self, leaf: &Leaf) -> Result<(), Stop> {
        if leaf.seq > self.size {
            return Ok(());
        }
        let mut full = Tiles::new();
        self.edge.push(leaf.hash(), &mut full);
        let digests = full
            .into_iter()
            .map(|(place, hashes)| (place, sha256(&hashes.concat())));
        self.full.extend(digests);
        let size = self.edge.size();
        match self.signed.remove(&size) {
            Some(signed) if signed != self.edge.root() => {
                let (signed, root) = (Chain(signed), Chain(self.edge.root()));
                fault(format!(
                    "the root over the first {size} answers is {root}, but {signed} in the checkpoint that was signed"
                ))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Compares it with all tiles.
    pub(super) async fn compare(mut self, db: &mut PgConnection) -> Result<(), Stop> {
        let edge = self.edge.tiles();
        let edge = edge
            .into_iter()
            .map(|(place, hashes)| (place, sha256(&hashes.concat())));
        self.full.extend(edge);
        let mut behind = None;
        loop {
            let tiles = store::tiles_behind(&mut *db, behind, PORTION).await?;
            let Some((last, _)) = tiles.last_key_value() else {
                break;
            };
            behind = Some(*last);
            for (Place { level, number }, hashes) in tiles {
                let place = Place { level, number };
                if self.full.remove(&place) != Some(sha256(&hashes.concat())) {
                    return fault(format!(
                        "tile {number} of level {level} in the tree of receipts is not what the answers lead to"
                    ));
                }
            }
        }
        match self.full.first_key_value() {
            Some((Place { level, number }, _)) => fault(format!(
                "tile {number} of level {level} is missing in the tree of receipts"
            )),
            None => Ok(()),
        }
    }
}
