//! What is in a leaf of the tree, and the form of an answer that both sides of a payment may see.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::core::chain::{Chain, Digest, sha256};
use crate::core::merkle::leaf_hash;

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
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(144);
        bytes.extend_from_slice(&self.chain_before.0);
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        bytes.extend_from_slice(&self.published_at.timestamp_micros().to_be_bytes());
        bytes.extend_from_slice(&self.request);
        bytes.extend_from_slice(&self.answer);
        bytes.extend_from_slice(&self.shared);
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

/// What both sides of a payment may know of it. Whatever is not named here stays out: balances, metadata, the words of a
/// reason, and every field that comes later.
const SHARED: [&str; 11] = [
    "amount",
    "client_id",
    "creditor_account",
    "currency",
    "debtor_account",
    "effective_date",
    "payment_id",
    "published_at",
    "reference",
    "request_seq",
    "status",
];
const SHARED_OF_POSTING: [&str; 4] = ["account", "amount", "currency", "direction"];

/// An answer's body without what only one side may see: an object with some of its fields by name, then `postings` with
/// some of theirs by name, and the code of its `reason` if it has one; no blanks. Its hash is in every leaf, so it stays as
/// it is.
#[must_use]
pub fn shared_form(body: &[u8]) -> Vec<u8> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let postings = body["postings"].as_array().into_iter().flatten();
    let form = SharedForm {
        fields: picked(&body, &SHARED),
        postings: postings
            .map(|posting| picked(posting, &SHARED_OF_POSTING))
            .collect(),
        reason: body["reason"]["code"].as_str(),
    };
    serde_json::to_vec(&form).expect("texts and numbers are JSON")
}

/// Its fields in the order in which they are written.
#[derive(serde::Serialize)]
struct SharedForm<'b> {
    #[serde(flatten)]
    fields: BTreeMap<&'static str, Value>,
    postings: Vec<BTreeMap<&'static str, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'b str>,
}

fn picked(object: &Value, names: &[&'static str]) -> BTreeMap<&'static str, Value> {
    let fields = names.iter().filter_map(|name| {
        let value = object.get(*name)?;
        // What is an object or a list later on is something else than what was looked at here.
        let is_plain = !value.is_object() && !value.is_array();
        is_plain.then(|| (*name, value.clone()))
    });
    fields.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shared_form_has_what_both_sides_know_and_nothing_else() {
        let body = r#"{"request_seq":7,"payment_id":"p","client_id":"shop","status":"rejected",
            "reason":{"code":"AM04","message":"5.00 available"},"reference":null,"metadata":{"a":"b"},
            "postings":[{"account":"x","direction":"debit","amount":"1.00","balance":"9.00"}],
            "amount":{"later":"an object"},"original":null,"may_retry":false,"limit_left":"3.00"}"#;
        let shared = String::from_utf8(shared_form(body.as_bytes())).unwrap();
        assert_eq!(
            shared,
            r#"{"client_id":"shop","payment_id":"p","reference":null,"request_seq":7,"status":"rejected","postings":[{"account":"x","amount":"1.00","direction":"debit"}],"reason":"AM04"}"#
        );
        for strange in [&b""[..], b"\xff", b"[]", b"{\"postings\":3,\"reason\":4}"] {
            assert_eq!(shared_form(strange), br#"{"postings":[]}"#);
        }
    }

    #[test]
    fn a_leaf_begins_with_what_the_chain_hashes() {
        let (before, request, body) = (Chain([7; 32]), [8; 32], b"{}");
        let time = DateTime::UNIX_EPOCH;
        let leaf = Leaf::of(before, 5, time, request, body);
        assert_eq!(leaf.bytes().len(), 144);
        assert_eq!(leaf.chain(), before.next(5, time, &request, body));
    }
}
