//! A receipt as it is handed out, and how it is checked: without the bank, its database or its broker.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::leaf::Leaf;
use super::note::{NoteError, PublicKey, hex};
use crate::core::chain::{Chain, Digest, sha256};
use crate::core::merkle::{PROOF_HASHES_MAX, root_by_inclusion};

/// The type of this form of receipts.
pub const RECEIPT_TYPE: &str = "quittance.receipt.v1";

/// A receipt. Hashes are SHA-256 in hex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// `quittance.receipt.v1`.
    #[serde(rename = "type")]
    pub form: String,
    /// What the leaf is made of.
    pub leaf: LeafFields,
    /// The answer, as far as the receipt's holder may see it.
    pub answer: ReceiptAnswer,
    /// The hashes from the leaf up to the root, as RFC 6962 describes.
    pub proof: Vec<String>,
    /// The signed root: a note as c2sp.org/tlog-checkpoint describes.
    pub checkpoint: String,
    /// The public key of the signature, as c2sp.org/signed-note writes it. Compare it with the one the bank publishes.
    pub key: String,
}

/// What a leaf is made of; leaf N − 1 of the tree is answer N.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeafFields {
    /// The sequence of request and answer.
    pub request_seq: u64,
    /// The broker's timestamp of the request, to the microsecond.
    pub published_at: DateTime<Utc>,
    /// The hash chain before this answer.
    pub chain_before: String,
    /// Of the request as it is stored.
    pub request_sha256: String,
    /// Of the answer's body.
    pub answer_sha256: String,
    /// Of the body's form for both sides of a payment.
    pub shared_sha256: String,
}

/// An answer, or what both sides of a payment may see of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiptAnswer {
    /// Which of the leaf's hashes is the body's.
    pub form: AnswerForm,
    /// The bytes that were hashed, as text.
    pub body: String,
}

/// How much of an answer a receipt shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AnswerForm {
    /// All of it: `answer_sha256`.
    Full,
    /// Neither balances nor metadata: `shared_sha256`.
    Shared,
}

/// What a receipt proves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proven {
    /// The sequence of request and answer.
    pub request_seq: u64,
    /// The request's time.
    pub published_at: DateTime<Utc>,
    /// The answer, or what may be seen of it.
    pub answer: Value,
    /// The hash chain after the answer: the header `Quittance-Chain` of its settlement event.
    pub chain: String,
    /// How many answers the signed tree has.
    pub tree_size: u64,
    /// Who signed it.
    pub key_name: String,
    /// The SHA-256 of the public key.
    pub key_fingerprint: String,
    /// Whether the key was given by whoever checks, and not taken from the receipt.
    pub key_given: bool,
}

/// Why a receipt proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// Not a receipt.
    #[error("it is no receipt of the form {RECEIPT_TYPE}: {0}")]
    Unreadable(String),
    /// The answer is not the one of the leaf.
    #[error("the answer is not the one that was hashed: it was changed")]
    Answer,
    /// The leaf is not in the tree.
    #[error("the proof does not lead from the answer to the signed root: the receipt was changed")]
    Proof,
    /// The checkpoint is not signed.
    #[error(transparent)]
    Checkpoint(#[from] NoteError),
    /// By another key than the expected one.
    #[error("the receipt names the key {found}, and {expected} was expected")]
    OtherKey {
        /// In the receipt.
        found: String,
        /// Given.
        expected: String,
    },
}

impl Receipt {
    /// A receipt of these parts.
    #[must_use]
    pub fn new(
        leaf: &Leaf,
        answer: ReceiptAnswer,
        proof: &[Digest],
        checkpoint: String,
        key: &PublicKey,
    ) -> Self {
        Self {
            form: RECEIPT_TYPE.to_owned(),
            leaf: LeafFields {
                request_seq: leaf.seq,
                published_at: leaf.published_at,
                chain_before: leaf.chain_before.to_string(),
                request_sha256: hex(&leaf.request),
                answer_sha256: hex(&leaf.answer),
                shared_sha256: hex(&leaf.shared),
            },
            answer,
            proof: proof.iter().map(|hash| hex(hash)).collect(),
            checkpoint,
            key: key.to_string(),
        }
    }

    /// Reads a receipt.
    ///
    /// # Errors
    /// [`ReceiptError::Unreadable`].
    pub fn read(json: &[u8]) -> Result<Self, ReceiptError> {
        let unreadable = |what: String| ReceiptError::Unreadable(what);
        let receipt: Self =
            serde_json::from_slice(json).map_err(|error| unreadable(error.to_string()))?;
        if receipt.form == RECEIPT_TYPE {
            Ok(receipt)
        } else {
            Err(unreadable(format!("its type is {:?}", receipt.form)))
        }
    }

    /// Checks it: the answer is the leaf's, the leaf is in the tree, the root is signed. By the key that is given, or else
    /// by the one in the receipt, which then must be compared with one that was had in another way.
    ///
    /// # Errors
    /// The first of these that does not hold.
    pub fn check(&self, given: Option<&PublicKey>) -> Result<Proven, ReceiptError> {
        let key: PublicKey = self.key.parse()?;
        if let Some(expected) = given
            && *expected != key
        {
            return Err(ReceiptError::OtherKey {
                found: key.to_string(),
                expected: expected.to_string(),
            });
        }
        let leaf = self.leaf()?;
        let expected = match self.answer.form {
            AnswerForm::Full => leaf.answer,
            AnswerForm::Shared => leaf.shared,
        };
        let found = sha256(self.answer.body.as_bytes());
        if verify_slices_are_equal(&found, &expected).is_err() {
            return Err(ReceiptError::Answer);
        }
        let answer: Value =
            serde_json::from_str(&self.answer.body).map_err(|_| ReceiptError::Answer)?;
        let checkpoint = key.open(&self.checkpoint)?;
        if self.proof.len() > PROOF_HASHES_MAX {
            return Err(ReceiptError::Proof);
        }
        let proof: Option<Vec<Digest>> = self.proof.iter().map(|text| read_hash(text)).collect();
        let index = leaf.seq.checked_sub(1).ok_or(ReceiptError::Proof)?;
        let root =
            proof.and_then(|proof| root_by_inclusion(index, checkpoint.size, leaf.hash(), &proof));
        if root != Some(checkpoint.root) {
            return Err(ReceiptError::Proof);
        }
        Ok(Proven {
            request_seq: leaf.seq,
            published_at: leaf.published_at,
            answer,
            chain: leaf.chain().to_string(),
            tree_size: checkpoint.size,
            key_name: key.name().to_owned(),
            key_fingerprint: key.fingerprint(),
            key_given: given.is_some(),
        })
    }

    fn leaf(&self) -> Result<Leaf, ReceiptError> {
        let LeafFields {
            request_seq,
            published_at,
            chain_before,
            request_sha256,
            answer_sha256,
            shared_sha256,
        } = &self.leaf;
        let hash = |text: &str| {
            read_hash(text)
                .ok_or_else(|| ReceiptError::Unreadable(format!("{text:?} is no SHA-256")))
        };
        Ok(Leaf {
            chain_before: Chain(hash(chain_before)?),
            seq: *request_seq,
            published_at: *published_at,
            request: hash(request_sha256)?,
            answer: hash(answer_sha256)?,
            shared: hash(shared_sha256)?,
        })
    }
}

fn read_hash(text: &str) -> Option<Digest> {
    Chain::from_hex(text).map(|Chain(digest)| digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::merkle::{Edge, Tiles, inclusion};
    use crate::receipts::note::SigningKey;
    use crate::receipts::shared::shared_form;

    const BODY: &str = r#"{"request_seq":2,"status":"settled","postings":[{"account":"x","amount":"1.00","balance":"9.00","direction":"debit"}]}"#;

    /// The receipt of the second of three answers.
    fn receipt(form: AnswerForm) -> Receipt {
        let time = DateTime::from_timestamp_micros(1_764_000_000_000_001).unwrap();
        let leaf = |seq: u64| Leaf::of(Chain([9; 32]), seq, time, [8; 32], BODY.as_bytes());
        let (mut edge, mut tiles) = (Edge::default(), Tiles::new());
        for seq in 1..=3 {
            edge.push(leaf(seq).hash(), &mut tiles);
        }
        tiles.extend(edge.tiles());
        let key = SigningKey::new("bank.example/ledger", &[1; 32]).unwrap();
        let body = match form {
            AnswerForm::Full => BODY.to_owned(),
            AnswerForm::Shared => String::from_utf8(shared_form(BODY.as_bytes())).unwrap(),
        };
        let proof = inclusion(1, 3, &tiles).unwrap();
        let note = key.sign(3, edge.root());
        let answer = ReceiptAnswer { form, body };
        Receipt::new(&leaf(2), answer, &proof, note, &key.public())
    }

    #[test]
    fn a_receipt_proves_its_answer_and_shows_no_more_than_it_may() {
        let full = receipt(AnswerForm::Full);
        let key: PublicKey = full.key.parse().unwrap();
        let proven = full.check(Some(&key)).unwrap();
        assert_eq!((proven.request_seq, proven.tree_size), (2, 3));
        assert!(proven.key_given);
        let shared = receipt(AnswerForm::Shared);
        assert!(shared.check(None).is_ok());
        let json = serde_json::to_string(&shared).unwrap();
        assert!(!json.contains("9.00"), "{json}");
        assert_eq!(Receipt::read(json.as_bytes()), Ok(shared));
    }

    #[test]
    fn whatever_is_changed_in_a_receipt_is_found() {
        let json = serde_json::to_value(receipt(AnswerForm::Full)).unwrap();
        let other = SigningKey::new("bank.example/ledger", &[2; 32]).unwrap();
        let another = other.sign(3, [0; 32]);
        let zeros = "00".repeat(32);
        for (pointer, value) in [
            ("/leaf/request_seq", Value::from(1)),
            ("/leaf/request_seq", Value::from(0)),
            ("/leaf/request_seq", Value::from(u64::MAX)),
            ("/leaf/published_at", "2026-11-28T00:00:00Z".into()),
            ("/leaf/chain_before", zeros.as_str().into()),
            ("/leaf/request_sha256", zeros.as_str().into()),
            ("/leaf/answer_sha256", zeros.as_str().into()),
            ("/leaf/shared_sha256", zeros.as_str().into()),
            ("/leaf/shared_sha256", "x".into()),
            ("/answer/body", BODY.replace("settled", "rejected").into()),
            ("/answer/form", "shared".into()),
            ("/proof", Value::Array(Vec::new())),
            ("/proof/0", zeros.as_str().into()),
            ("/proof/0", "x".into()),
            ("/checkpoint", another.as_str().into()),
            ("/key", other.public().to_string().into()),
            ("/key", "x".into()),
            ("/type", "quittance.receipt.v2".into()),
        ] {
            let mut changed = json.clone();
            *changed.pointer_mut(pointer).unwrap() = value.clone();
            let checked = Receipt::read(changed.to_string().as_bytes())
                .and_then(|receipt| receipt.check(None));
            assert!(checked.is_err(), "{pointer} {value}");
        }
        // Signed by somebody else from end to end: only the key tells.
        let given = other.public();
        let checked = receipt(AnswerForm::Full).check(Some(&given));
        assert!(matches!(checked, Err(ReceiptError::OtherKey { .. })));
    }
}
