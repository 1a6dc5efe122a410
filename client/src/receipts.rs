//! Receipts, at the ledger.

use serde_json::Value;

use crate::{Client, Result, found};

impl Client {
    /// The receipt of the answer to request `seq`; `None` when there is none for this caller.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn receipt(&self, token: &str, seq: u64) -> Result<Option<Value>> {
        let path = format!("/transactions/{seq}/receipt");
        found(self.get(token, &self.addresses.ledger, &path, &[]).await)
    }
}
