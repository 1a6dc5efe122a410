//! Receipts, at the ledger.

use common::tile::Tile;
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use crate::{Client, Error, Result, found};

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
    /// The newest signed root of the tree, as a note: c2sp.org/tlog-checkpoint. `None` while nothing is signed.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn tree_checkpoint(&self, token: &str) -> Result<Option<String>> {
        let Some(bytes) = found(self.of_tree(token, "checkpoint").await)? else {
            return Ok(None);
        };
        let note = String::from_utf8(bytes).map_err(|error| Error::Unreadable {
            service: "the ledger".to_owned(),
            cause: error.to_string(),
        });
        note.map(Some)
    }

    /// The hashes of a tile, 32 bytes each; `None` beyond the newest checkpoint.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn tile(&self, token: &str, tile: Tile) -> Result<Option<Vec<u8>>> {
        found(self.of_tree(token, &format!("tile/{tile}")).await)
    }

    async fn of_tree(&self, token: &str, what: &str) -> Result<Vec<u8>> {
        let path = format!("/tree/{what}");
        let request = self.request(Method::GET, &self.addresses.ledger, &path)?;
        Ok(self.bytes(request.bearer_auth(token)).await?.bytes)
    }

    /// The answer to request `seq`, as far as this caller may see it; `None` when that is nothing.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn transaction(&self, token: &str, seq: u64) -> Result<Option<Value>> {
        let path = format!("/transactions/{seq}");
        found(self.get(token, &self.addresses.ledger, &path, &[]).await)
    }

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
