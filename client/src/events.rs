//! What happened in auth, and what services logged.

use serde_json::Value;

use crate::{Client, Result};

impl Client {
    /// A page of events, the newest first.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn events(&self, token: &str, query: &[(&str, String)]) -> Result<Value> {
        let auth = &self.addresses.auth;
        self.get(token, auth, "/api/audit/", query).await
    }

    /// A page of what services logged: the newest first, or with `after` in order.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn logs(&self, token: &str, query: &[(&str, String)]) -> Result<Value> {
        let auth = &self.addresses.auth;
        self.get(token, auth, "/api/logs/", query).await
    }
}
