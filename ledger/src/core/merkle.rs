//! The Merkle tree over all answers, as RFC 6962 hashes it, kept in tiles as C2SP's tlog-tiles describe.
//!
//! Leaf N − 1 is answer N. Tile (level, number) holds up to 256 hashes, each the root of 256^level leaves; a full tile
//! never changes, and of each level only the last is not full. With some tiles in hand the root of any range of leaves can
//! be made, and so every proof: [`inclusion`] that a leaf is in a tree, [`consistency`] that a tree is the beginning of
//! another.
//!
//! The crates for this bring their own SHA-256 and signatures (`tlog_tiles`) or keep the whole tree in memory
//! (`ct-merkle`); this is less than either.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use aws_lc_rs::digest::{Context, SHA256};

use crate::core::chain::{Digest, sha256};

pub use common::tile::TILE_HASHES;

/// The same, as an exponent of two.
const TILE_HEIGHT: u32 = 8;
/// Hashes of a proof in a tree of 2^63 leaves.
pub const PROOF_HASHES_MAX: usize = 63;

/// The hash of a leaf.
#[must_use]
pub fn leaf_hash(leaf: &[u8]) -> Digest {
    hash(&[&[0], leaf])
}

/// The hash of a node over two others.
#[must_use]
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    hash(&[&[1], left, right])
}

fn hash(parts: &[&[u8]]) -> Digest {
    let mut hash = Context::new(&SHA256);
    for part in parts {
        hash.update(part);
    }
    let digest = hash.finish();
    digest.as_ref().try_into().expect("a SHA-256 has 32 bytes")
}

/// Which tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// 0 holds the leaves' hashes.
    pub level: u8,
    /// Which tile of its level, from 0.
    pub number: u64,
}

impl Place {
    /// How many hashes the tile has in a tree of this size; 0 where there is no such tile.
    #[must_use]
    pub fn hashes(self, size: u64) -> usize {
        let of_level = size.checked_shr(u32::from(self.level) * TILE_HEIGHT);
        let before = self.number.saturating_mul(1 << TILE_HEIGHT);
        let behind = of_level.unwrap_or_default().saturating_sub(before);
        usize::try_from(behind).map_or(TILE_HASHES, |count| count.min(TILE_HASHES))
    }
}

/// Some tiles of a tree.
pub type Tiles = BTreeMap<Place, Vec<Digest>>;

/// The right edge of a growing tree: the last tile of each level, which is not full.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    levels: Vec<Vec<Digest>>,
}

impl Edge {
    /// The places of the tiles that make the edge of a tree of this size.
    #[must_use]
    pub fn places(size: u64) -> Vec<Place> {
        let mut places = Vec::new();
        let (mut hashes, mut level) = (size, 0);
        while hashes > 0 {
            if !hashes.is_multiple_of(1 << TILE_HEIGHT) {
                let number = hashes >> TILE_HEIGHT;
                places.push(Place { level, number });
            }
            hashes >>= TILE_HEIGHT;
            level += 1;
        }
        places
    }

    /// The edge of a tree of this size, from its tiles; `None` when one is missing or too short.
    #[must_use]
    pub fn of(size: u64, tiles: &Tiles) -> Option<Self> {
        let mut levels = Vec::new();
        let (mut hashes, mut level) = (size, 0);
        while hashes > 0 {
            let count = usize::try_from(hashes % (1 << TILE_HEIGHT)).expect("below 256");
            let number = hashes >> TILE_HEIGHT;
            levels.push(match count {
                0 => Vec::new(),
                _ => tiles.get(&Place { level, number })?.get(..count)?.to_vec(),
            });
            hashes >>= TILE_HEIGHT;
            level += 1;
        }
        Some(Self { size, levels })
    }

    /// How many leaves the tree has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf. Tiles that it fills go to `full`.
    pub fn push(&mut self, leaf: Digest, full: &mut Tiles) {
        let mut hash = leaf;
        let mut hashes_before = self.size;
        self.size += 1;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::with_capacity(TILE_HASHES));
            }
            let tile = &mut self.levels[level];
            tile.push(hash);
            if tile.len() < TILE_HASHES {
                return;
            }
            hash = root_of(tile);
            let place = Place {
                level: u8::try_from(level).expect("a tree has 8 levels"),
                number: hashes_before >> TILE_HEIGHT,
            };
            full.insert(place, std::mem::take(tile));
            hashes_before >>= TILE_HEIGHT;
        }
    }

    /// The tiles that are not full.
    #[must_use]
    pub fn tiles(&self) -> Tiles {
        let places = Self::places(self.size).into_iter();
        places
            .map(|place| (place, self.levels[usize::from(place.level)].clone()))
            .collect()
    }

    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> Digest {
        let mut root = None;
        for level in &self.levels {
            let mut hashes = level.clone();
            // What is below is the last, smaller part of this level.
            hashes.extend(root);
            if !hashes.is_empty() {
                root = Some(root_of(&hashes));
            }
        }
        root.unwrap_or_else(|| sha256(b""))
    }
}

/// The root over these hashes, at least one.
fn root_of(hashes: &[Digest]) -> Digest {
    match hashes {
        [one] => *one,
        _ => {
            let (left, right) = hashes.split_at(1 << (hashes.len() - 1).ilog2());
            node_hash(&root_of(left), &root_of(right))
        }
    }
}

/// The largest power of two below this number of leaves, which is at least 2.
fn split(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

/// A part of a proof: the root over these leaves.
type Part = Range<u64>;

/// What proves that leaf `index` is in the tree of `size`: from the leaf up. RFC 6962, 2.1.1.
fn inclusion_parts(index: u64, size: u64) -> Vec<Part> {
    let (mut from, mut to) = (0, size);
    let mut parts = Vec::new();
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            parts.push(middle..to);
            to = middle;
        } else {
            parts.push(from..middle);
            from = middle;
        }
    }
    parts.reverse();
    parts
}

/// What proves that the tree of `old` leaves is the beginning of that of `size`. RFC 6962, 2.1.2.
fn consistency_parts(old: u64, size: u64) -> Vec<Part> {
    let (mut from, mut to) = (0, size);
    let mut parts = Vec::new();
    while to != old {
        let middle = from + split(to - from);
        if old <= middle {
            parts.push(middle..to);
            to = middle;
        } else {
            parts.push(from..middle);
            from = middle;
        }
    }
    // Whoever asks has the root of the whole old tree.
    if from > 0 {
        parts.push(from..to);
    }
    parts.reverse();
    parts
}

/// Complete subtrees, of 2^height leaves each, that make up some leaves; from left to right.
fn subtrees(part: &Part) -> Vec<(u32, u64)> {
    let (mut from, to) = (part.start, part.end);
    let mut found = Vec::new();
    while from < to {
        let aligned = if from == 0 { 63 } else { from.trailing_zeros() };
        let height = aligned.min((to - from).ilog2());
        found.push((height, from));
        from += 1 << height;
    }
    found
}

/// The hashes of a tile that make a subtree: where it is, and which of it.
fn of_tile(height: u32, from: u64) -> (Place, Range<usize>) {
    let level = height / TILE_HEIGHT;
    let first = from >> (level * TILE_HEIGHT);
    let within = usize::try_from(first % (1 << TILE_HEIGHT)).expect("below 256");
    let place = Place {
        level: u8::try_from(level).expect("a tree has 8 levels"),
        number: first >> TILE_HEIGHT,
    };
    (place, within..within + (1 << (height % TILE_HEIGHT)))
}

fn places_of(parts: &[Part]) -> BTreeSet<Place> {
    let subtrees = parts.iter().flat_map(subtrees);
    subtrees
        .map(|(height, from)| of_tile(height, from).0)
        .collect()
}

fn hashes_of(parts: &[Part], tiles: &Tiles) -> Option<Vec<Digest>> {
    let hash_of = |part: &Part| {
        let hashes = subtrees(part).into_iter().map(|(height, from)| {
            let (place, range) = of_tile(height, from);
            tiles.get(&place)?.get(range).map(root_of)
        });
        let hashes: Vec<Digest> = hashes.collect::<Option<_>>()?;
        // From the right, because each is larger than all that is right of it.
        let mut hashes = hashes.into_iter().rev();
        let last = hashes.next()?;
        Some(hashes.fold(last, |right, left| node_hash(&left, &right)))
    };
    parts.iter().map(hash_of).collect()
}

/// The tiles that the proof takes that leaf `index` is in the tree of `size` leaves.
#[must_use]
pub fn inclusion_places(index: u64, size: u64) -> BTreeSet<Place> {
    places_of(&inclusion_parts(index, size))
}

/// The proof that leaf `index` is in the tree of `size` leaves; `None` when a tile is missing.
#[must_use]
pub fn inclusion(index: u64, size: u64, tiles: &Tiles) -> Option<Vec<Digest>> {
    hashes_of(&inclusion_parts(index, size), tiles)
}

/// The tiles that the proof takes that the tree of `old` leaves is the beginning of that of `size`.
#[must_use]
pub fn consistency_places(old: u64, size: u64) -> BTreeSet<Place> {
    places_of(&consistency_parts(old, size))
}

/// The proof that the tree of `old` leaves, at least one, is the beginning of that of `size`, which is not smaller.
#[must_use]
pub fn consistency(old: u64, size: u64, tiles: &Tiles) -> Option<Vec<Digest>> {
    hashes_of(&consistency_parts(old, size), tiles)
}

/// The root that a leaf's hash and its proof lead to; `None` when the proof has another length. RFC 9162, 2.1.3.2.
#[must_use]
pub fn root_by_inclusion(index: u64, size: u64, leaf: Digest, proof: &[Digest]) -> Option<Digest> {
    if index >= size {
        return None;
    }
    let parts = inclusion_parts(index, size);
    if parts.len() != proof.len() {
        return None;
    }
    let root = parts.iter().zip(proof).fold(leaf, |hash, (part, other)| {
        if part.start > index {
            node_hash(&hash, other)
        } else {
            node_hash(other, &hash)
        }
    });
    Some(root)
}

/// Whether a proof shows that the tree of `old` leaves with this root is the beginning of that of `size`. RFC 9162, 2.1.4.2.
#[must_use]
pub fn is_consistent(old: (u64, Digest), new: (u64, Digest), proof: &[Digest]) -> bool {
    let ((old_size, old_root), (size, root)) = (old, new);
    if old_size == 0 || old_size > size {
        return false;
    }
    if old_size == size {
        return proof.is_empty() && old_root == root;
    }
    let parts = consistency_parts(old_size, size);
    if parts.len() != proof.len() {
        return false;
    }
    // The first hash is the end of the old tree, or all of it; what stands left of it is in both trees.
    let mut steps = parts.iter().zip(proof);
    let first = if old_size.is_power_of_two() {
        old_root
    } else {
        match steps.next() {
            Some((_, hash)) => *hash,
            None => return false,
        }
    };
    let (made_old, made) = steps.fold((first, first), |(made_old, made), (part, other)| {
        if part.start >= old_size {
            (made_old, node_hash(&made, other))
        } else {
            (node_hash(other, &made_old), node_hash(other, &made))
        }
    });
    made_old == old_root && made == root
}

#[cfg(test)]
mod tests;
