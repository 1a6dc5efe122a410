//! Service accounts, at auth.

use anyhow::Result;
use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

use super::{Client, found};

impl Client {
    /// A page of service accounts.
    pub(crate) async fn service_accounts(
        &self,
        token: &str,
        query: &[(&str, String)],
    ) -> Result<Value> {
        let request = self.look(&self.status.auth, "/api/service-accounts/", query)?;
        self.send(request.bearer_auth(token)).await
    }

    /// A service account.
    pub(crate) async fn service_account(&self, token: &str, id: &str) -> Result<Option<Value>> {
        let request = self.look(&self.status.auth, &path(id, ""), &[])?;
        found(self.send(request.bearer_auth(token)).await)
    }

    /// A new service account, with its secret.
    pub(crate) async fn create_service_account(&self, token: &str, new: &Value) -> Result<Value> {
        let auth = &self.status.auth;
        let request = self.request(Method::POST, auth, "/api/service-accounts/")?;
        self.send(request.bearer_auth(token).json(new)).await
    }

    /// The account, activated or deactivated.
    pub(crate) async fn switch_service_account(
        &self,
        token: &str,
        id: &str,
        word: &str,
    ) -> Result<Value> {
        let path = path(id, &format!("{word}/"));
        let request = self.request(Method::POST, &self.status.auth, &path)?;
        self.send(request.bearer_auth(token)).await
    }

    /// Deletes a service account.
    pub(crate) async fn delete_service_account(&self, token: &str, id: &str) -> Result<()> {
        self.delete(token, &path(id, "")).await
    }

    /// A new secret, or a key taken in.
    pub(crate) async fn add_credential(&self, token: &str, id: &str, new: &Value) -> Result<Value> {
        let path = path(id, "credentials/");
        let request = self.request(Method::POST, &self.status.auth, &path)?;
        self.send(request.bearer_auth(token).json(new)).await
    }

    /// Deletes a secret or key.
    pub(crate) async fn delete_credential(
        &self,
        token: &str,
        id: &str,
        credential: Uuid,
    ) -> Result<()> {
        self.delete(token, &path(id, &format!("credentials/{credential}/")))
            .await
    }

    async fn delete(&self, token: &str, path: &str) -> Result<()> {
        let request = self.request(Method::DELETE, &self.status.auth, path)?;
        self.send(request.bearer_auth(token)).await.map(drop)
    }
}

/// A path below an account. What is no id of one must not name another path.
fn path(id: &str, rest: &str) -> String {
    let is_id = id.parse::<common::ids::ClientId>().is_ok();
    format!(
        "/api/service-accounts/{}/{rest}",
        if is_id { id } else { "no-id." }
    )
}
