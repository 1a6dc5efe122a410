//! What is in a leaf of the tree.

use chrono::{DateTime, Utc};

use crate::core::chain::{Chain, Digest, sha256};
use crate::core::merkle::leaf_hash;
use crate::receipts::shared::shared_form;

/// A leaf: 144 bytes. Its first 112 are what the hash chain hashes, so that a receipt proves the chain at its answer too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf {
    /// The chain before this answer.
    pub chain_before: Chain,
    /// The sequence of request and answer.
    pub seq: u64,
    /// The request's published time.
    pub published_at: DateTime<Utc>,
    /// SHA-256 of the request as stored.
    pub request: Digest,
    /// SHA-256 of the answer's body.
    pub answer: Digest,
    /// SHA-256 of the body's [`shared_form`].
    pub shared: Digest,
}

impl Leaf {
    /// The leaf of an answer.
    #[must_use]
    pub fn of(
        chain_before: Chain,
        seq: u64,
        published_at: DateTime<Utc>,
        request: Digest,
        body: &[u8],
    ) -> Self {
        Self {
            chain_before,
            seq,
            published_at,
            request,
            answer: sha256(body),
            shared: sha256(&shared_form(body)),
        }
    }

    /// `chain_{N-1} ‖ N ‖ P ‖ request ‖ answer ‖ shared form`, numbers as 8 bytes big-endian, P in microseconds since 1970,
    /// the last three as SHA-256.
    #[must_use]
    pub fn bytes(&self) -> [u8; 144] {
        let mut bytes = [0; 144];
        let mut rest = &mut bytes[..];
        for part in [
            &self.chain_before.0[..],
            &self.seq.to_be_bytes(),
            &self.published_at.timestamp_micros().to_be_bytes(),
            &self.request,
            &self.answer,
            &self.shared,
        ] {
            let (place, behind) = rest.split_at_mut(part.len());
            place.copy_from_slice(part);
            rest = behind;
        }
        bytes
    }

    /// Its hash in the tree.
    #[must_use]
    pub fn hash(&self) -> Digest {
        leaf_hash(&self.bytes())
    }

    /// The chain after this answer.
    #[must_use]
    pub fn chain(&self) -> Chain {
        Chain(sha256(&self.bytes()[..112]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_begins_with_what_the_chain_hashes() {
        let (before, request, body) = (Chain([7; 32]), [8; 32], b"{}");
        let time = DateTime::UNIX_EPOCH;
        let leaf = Leaf::of(before, 5, time, request, body);
        assert_eq!(leaf.bytes().len(), 144);
        assert_eq!(leaf.chain(), before.next(5, time, &request, &sha256(body)));
    }
}
