//! Signing keys.

use anyhow::Result;
use reqwest::Method;
use serde_json::Value;

use super::Client;

impl Client {
    /// Every signing key, the newest first.
    pub(crate) async fn keys(&self, token: &str) -> Result<Value> {
        let request = self.look(&self.status.auth, "/api/keys", &[])?;
        self.send(request.bearer_auth(token)).await
    }

    /// Does something with the keys.
    pub(crate) async fn change_keys(
        &self,
        token: &str,
        action: &str,
        body: &Value,
    ) -> Result<Value> {
        let path = format!("/api/keys/{action}");
        let request = self.request(Method::POST, &self.status.auth, &path)?;
        self.send(request.bearer_auth(token).json(body)).await
    }
}
