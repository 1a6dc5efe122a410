//! Mandates.

use serde_json::Value;
use uuid::Uuid;

use crate::{Client, Result};

impl Client {
    /// The caller's mandates that stand.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn mandates(&self, token: &str) -> Result<Value> {
        let auth = &self.addresses.auth;
        self.get(token, auth, "/api/mandates", &[]).await
    }

    /// Gives a mandate.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn give_mandate(&self, token: &str, mandate: &Value) -> Result<Value> {
        let auth = &self.addresses.auth;
        self.post(token, auth, "/api/mandates", Some(mandate)).await
    }

    /// Ends a mandate.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn end_mandate(&self, token: &str, id: Uuid) -> Result<()> {
        let path = format!("/api/mandates/{id}");
        self.delete(token, &self.addresses.auth, &path).await
    }
}
