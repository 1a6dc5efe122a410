//! Service accounts, at auth.

use serde_json::Value;
use uuid::Uuid;

use crate::{Client, Result, found};

const PATH: &str = "/api/service-accounts/";

impl Client {
    /// A page of service accounts.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn service_accounts(&self, token: &str, query: &[(&str, String)]) -> Result<Value> {
        self.get(token, &self.addresses.auth, PATH, query).await
    }

    /// A service account.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn service_account(&self, token: &str, id: &str) -> Result<Option<Value>> {
        let path = path(id, "");
        found(self.get(token, &self.addresses.auth, &path, &[]).await)
    }

    /// A new service account, with its secret.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn create_service_account(&self, token: &str, new: &Value) -> Result<Value> {
        let auth = &self.addresses.auth;
        self.post(token, auth, PATH, Some(new)).await
    }

    /// The account, activated or deactivated.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn switch_service_account(&self, token: &str, id: &str, word: &str) -> Result<Value> {
        let path = path(id, &format!("{word}/"));
        self.post(token, &self.addresses.auth, &path, None).await
    }

    /// Deletes a service account.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn delete_service_account(&self, token: &str, id: &str) -> Result<()> {
        let path = path(id, "");
        self.delete(token, &self.addresses.auth, &path).await
    }

    /// A new secret, or a key taken in.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn add_credential(&self, token: &str, id: &str, new: &Value) -> Result<Value> {
        let path = path(id, "credentials/");
        let auth = &self.addresses.auth;
        self.post(token, auth, &path, Some(new)).await
    }

    /// Deletes a secret or key.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn delete_credential(&self, token: &str, id: &str, credential: Uuid) -> Result<()> {
        let path = path(id, &format!("credentials/{credential}/"));
        self.delete(token, &self.addresses.auth, &path).await
    }
}

/// A path below an account. What is no id of one must not name another path.
fn path(id: &str, rest: &str) -> String {
    let is_id = id.parse::<common::ids::ClientId>().is_ok();
    format!("{PATH}{}/{rest}", if is_id { id } else { "no-id." })
}
