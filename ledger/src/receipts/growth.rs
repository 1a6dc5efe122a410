//! Whether a log has only grown since somebody kept a checkpoint of it: checked by whoever kept it.

use serde::Serialize;

use super::note::{NoteError, PublicKey};
use crate::core::chain::{Chain, Digest};
use crate::core::merkle::is_consistent;

/// A log that has only grown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Grown {
    /// Answers in the tree that was kept.
    pub from: u64,
    /// Answers in the newest one, which begins with those.
    pub to: u64,
    /// Who signed both.
    pub key_name: String,
    /// The SHA-256 of the public key.
    pub key_fingerprint: String,
}

/// Why it is not shown that a log has only grown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrowthError {
    /// The checkpoint that was kept is not signed by this key.
    #[error("the checkpoint that was kept is not one")]
    Kept(#[source] NoteError),
    /// The bank's newest is not.
    #[error("the bank's newest checkpoint is not one")]
    Newest(#[source] NoteError),
    /// Answers are gone.
    #[error("the log was cut: {kept} answers were signed once, and now there are {newest}")]
    Cut {
        /// Answers in the tree that was kept.
        kept: u64,
        /// Answers in the newest.
        newest: u64,
    },
    /// The newest tree does not begin with the one that was kept.
    #[error(
        "nothing shows that the log begins with the {kept} answers that were signed once: it was rewritten, or the proof is wrong"
    )]
    Rewritten {
        /// Answers in the tree that was kept.
        kept: u64,
    },
}

/// Checks that the tree of the newest note begins with the one of the note that was kept. The proof's hashes are in hex.
///
/// # Errors
/// The first that does not hold of: the signatures of this key, the sizes, the proof.
pub fn check_growth(
    kept: &str,
    newest: &str,
    proof: &[String],
    key: &PublicKey,
) -> Result<Grown, GrowthError> {
    let kept = key.open(kept).map_err(GrowthError::Kept)?;
    let newest = key.open(newest).map_err(GrowthError::Newest)?;
    if newest.size < kept.size {
        return Err(GrowthError::Cut {
            kept: kept.size,
            newest: newest.size,
        });
    }
    let hash = |text: &String| Chain::from_hex(text).map(|Chain(digest)| digest);
    let proof: Option<Vec<Digest>> = proof.iter().map(hash).collect();
    let (old, new) = ((kept.size, kept.root), (newest.size, newest.root));
    if !proof.is_some_and(|proof| is_consistent(old, new, &proof)) {
        return Err(GrowthError::Rewritten { kept: kept.size });
    }
    Ok(Grown {
        from: kept.size,
        to: newest.size,
        key_name: key.name().to_owned(),
        key_fingerprint: key.fingerprint(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::merkle::{Edge, Tiles, consistency, leaf_hash};
    use crate::receipts::note::{SigningKey, hex};

    /// The signed notes of a log of these leaves, after each of them, and its tiles.
    fn log(leaves: &[&str], key: &SigningKey) -> (Vec<String>, Tiles) {
        let (mut edge, mut tiles) = (Edge::default(), Tiles::new());
        let notes = leaves.iter().map(|leaf| {
            edge.push(leaf_hash(leaf.as_bytes()), &mut tiles);
            key.sign(edge.size(), edge.root())
        });
        let notes = notes.collect();
        tiles.extend(edge.tiles());
        (notes, tiles)
    }

    #[test]
    fn a_log_that_only_grew_is_told_from_one_that_was_cut_or_rewritten() {
        let key = SigningKey::new("bank.example/ledger", &[1; 32]).unwrap();
        let public = key.public();
        let leaves = ["a", "b", "c", "d", "e"];
        let (notes, tiles) = log(&leaves, &key);
        let rewritten = log(&["a", "x", "c", "d", "e"], &key);
        let proof = |from: u64, to: u64, tiles: &Tiles| -> Vec<String> {
            let hashes = consistency(from, to, tiles).unwrap();
            hashes.iter().map(|hash| hex(hash)).collect()
        };
        for from in 1..=5_u64 {
            for to in from..=5 {
                let at = |size: u64| usize::try_from(size).unwrap() - 1;
                let (kept, newest) = (&notes[at(from)], &notes[at(to)]);
                let right = proof(from, to, &tiles);
                let grown = check_growth(kept, newest, &right, &public).unwrap();
                assert_eq!((grown.from, grown.to), (from, to));
                // The other log has another second answer; no proof leads there.
                let there = check_growth(kept, &rewritten.0[at(to)], &right, &public);
                let its_own = proof(from, to, &rewritten.1);
                let there_too = check_growth(kept, &rewritten.0[at(to)], &its_own, &public);
                for found in [there, there_too] {
                    match found {
                        // The first answer is the same in both.
                        Ok(_) => assert_eq!(from, 1),
                        Err(error) => assert_eq!(error, GrowthError::Rewritten { kept: from }),
                    }
                }
                if from < to {
                    let cut = check_growth(newest, kept, &right, &public);
                    let (kept, newest) = (to, from);
                    assert_eq!(cut, Err(GrowthError::Cut { kept, newest }));
                }
            }
        }
        let mut longer = proof(3, 5, &tiles);
        longer.push(longer[0].clone());
        let mut mangled = proof(3, 5, &tiles);
        mangled[0] = "no hash".to_owned();
        for wrong in [longer, mangled, Vec::new()] {
            let found = check_growth(&notes[2], &notes[4], &wrong, &public);
            assert_eq!(found, Err(GrowthError::Rewritten { kept: 3 }));
        }
        let other = SigningKey::new("bank.example/ledger", &[2; 32]).unwrap();
        let foreign = check_growth(&notes[2], &notes[4], &[], &other.public());
        assert_eq!(foreign, Err(GrowthError::Kept(NoteError::Unsigned)));
        let (theirs, _) = log(&leaves, &other);
        let mixed = check_growth(&notes[2], &theirs[4], &[], &public);
        assert_eq!(mixed, Err(GrowthError::Newest(NoteError::Unsigned)));
    }
}
