//! Signing keys.

use serde_json::Value;

use crate::{Client, Result};

impl Client {
    /// Every signing key, the newest first.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn keys(&self, token: &str) -> Result<Value> {
        let auth = &self.addresses.auth;
        self.get(token, auth, "/api/keys", &[]).await
    }

    /// Does something with the keys.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn change_keys(&self, token: &str, action: &str, body: &Value) -> Result<Value> {
        let path = format!("/api/keys/{action}");
        let auth = &self.addresses.auth;
        self.post(token, auth, &path, Some(body)).await
    }
}
