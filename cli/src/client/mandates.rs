//! Mandates.

use anyhow::Result;
use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

use super::Client;

impl Client {
    /// The caller's mandates that stand.
    pub(crate) async fn mandates(&self, token: &str) -> Result<Value> {
        let request = self.look(&self.status.auth, "/api/mandates", &[])?;
        self.send(request.bearer_auth(token)).await
    }

    /// Gives a mandate.
    pub(crate) async fn give_mandate(&self, token: &str, mandate: &Value) -> Result<Value> {
        let request = self.request(Method::POST, &self.status.auth, "/api/mandates")?;
        self.send(request.bearer_auth(token).json(mandate)).await
    }

    /// Ends a mandate.
    pub(crate) async fn end_mandate(&self, token: &str, id: Uuid) -> Result<()> {
        let path = format!("/api/mandates/{id}");
        let request = self.request(Method::DELETE, &self.status.auth, &path)?;
        self.send(request.bearer_auth(token)).await.map(drop)
    }
}
