//! What happened in auth.

use anyhow::Result;
use serde_json::Value;

use super::Client;

impl Client {
    /// A page of events, the newest first.
    pub(crate) async fn events(&self, token: &str, query: &[(&str, String)]) -> Result<Value> {
        let request = self.look(&self.status.auth, "/api/audit/", query)?;
        self.send(request.bearer_auth(token)).await
    }
}
