//! People.

use anyhow::Result;
use reqwest::Method;
use serde_json::Value;

use super::Client;

impl Client {
    /// A page of people, by address.
    pub(crate) async fn users(&self, token: &str, query: &[(&str, String)]) -> Result<Value> {
        let request = self.look(&self.status.auth, "/api/users", query)?;
        self.send(request.bearer_auth(token)).await
    }

    /// Somebody new.
    pub(crate) async fn create_user(&self, token: &str, user: &Value) -> Result<Value> {
        let request = self.request(Method::POST, &self.status.auth, "/api/users")?;
        self.send(request.bearer_auth(token).json(user)).await
    }

    /// What came of each person of a chunk.
    pub(crate) async fn import_users(&self, token: &str, chunk: &Value) -> Result<Value> {
        let request = self.request(Method::POST, &self.status.auth, "/api/users/import")?;
        self.send(request.bearer_auth(token).json(chunk)).await
    }

    /// Does something with a person; the person as it is then.
    pub(crate) async fn change_user(
        &self,
        token: &str,
        id: &str,
        action: &str,
        body: Option<&Value>,
    ) -> Result<Value> {
        let path = format!("/api/users/{id}/{action}");
        let request = self.request(Method::POST, &self.status.auth, &path)?;
        let request = request.bearer_auth(token);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        self.send(request).await
    }
}
