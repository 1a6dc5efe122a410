//! Receipts, at the ledger.

use serde::Deserialize;
use serde_json::Value;

use crate::{Client, Result, found};

/// The proof that one tree of answers is the beginning of another.
#[derive(Debug, Deserialize)]
pub struct Consistency {
    /// Answers of the larger tree.
    pub to: u64,
    /// Its hashes, in hex.
    pub proof: Vec<String>,
    /// The signed note of the larger tree, if it was signed.
    pub checkpoint: Option<String>,
}

impl Client {
    /// The receipt of the answer to request `seq`; `None` when there is none for this caller.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn receipt(&self, token: &str, seq: u64) -> Result<Option<Value>> {
        let path = format!("/transactions/{seq}/receipt");
        found(self.get(token, &self.addresses.ledger, &path, &[]).await)
    }

    /// The proof that the tree of `from` answers is the beginning of the one of `to`, or else of the newest that was signed.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn consistency(
        &self,
        token: &str,
        from: u64,
        to: Option<u64>,
    ) -> Result<Consistency> {
        let mut query = vec![("from", from.to_string())];
        query.extend(to.map(|to| ("to", to.to_string())));
        let ledger = &self.addresses.ledger;
        self.get(token, ledger, "/checkpoint/consistency", &query)
            .await
    }
}
