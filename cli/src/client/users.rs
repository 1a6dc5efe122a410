//! People.

use anyhow::Result;
use reqwest::Method;
use serde_json::Value;

use super::Client;

const SECOND_FACTOR: &str = "/api/users/me/second-factor";

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

    /// A code that makes somebody.
    pub(crate) async fn invite(&self, token: &str, body: &Value) -> Result<Value> {
        let path = "/api/users/invitations";
        let request = self.request(Method::POST, &self.status.auth, path)?;
        self.send(request.bearer_auth(token).json(body)).await
    }

    /// Uses such a code, or a reset.
    pub(crate) async fn accept(&self, body: &Value) -> Result<Value> {
        let request = self.request(Method::POST, &self.status.auth, "/api/users/accept")?;
        self.send(request.json(body)).await
    }

    /// Does something with one's own second factor.
    pub(crate) async fn second_factor(
        &self,
        token: &str,
        action: &str,
        body: &Value,
    ) -> Result<Value> {
        let path = format!("{SECOND_FACTOR}{action}");
        let request = self.request(Method::POST, &self.status.auth, &path)?;
        self.send(request.bearer_auth(token).json(body)).await
    }

    /// Takes one's own second factor away.
    pub(crate) async fn remove_second_factor(&self, token: &str, body: &Value) -> Result<Value> {
        let request = self.request(Method::DELETE, &self.status.auth, SECOND_FACTOR)?;
        self.send(request.bearer_auth(token).json(body)).await
    }
}
