//! People, and their sessions.

use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

use crate::{Client, Result, found};

const SECOND_FACTOR: &str = "/api/users/me/second-factor";

impl Client {
    /// A page of people, by address.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn users(&self, token: &str, query: &[(&str, String)]) -> Result<Value> {
        let auth = &self.addresses.auth;
        self.get(token, auth, "/api/users", query).await
    }

    /// Somebody new.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn create_user(&self, token: &str, user: &Value) -> Result<Value> {
        let auth = &self.addresses.auth;
        self.post(token, auth, "/api/users", Some(user)).await
    }

    /// What came of each person of a chunk.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn import_users(&self, token: &str, chunk: &Value) -> Result<Value> {
        let auth = &self.addresses.auth;
        self.post(token, auth, "/api/users/import", Some(chunk))
            .await
    }

    /// Does something with a person; the person as it is then.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn change_user(
        &self,
        token: &str,
        id: &str,
        action: &str,
        body: Option<&Value>,
    ) -> Result<Value> {
        let path = format!("/api/users/{id}/{action}");
        self.post(token, &self.addresses.auth, &path, body).await
    }

    /// A code that makes somebody.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn invite(&self, token: &str, body: &Value) -> Result<Value> {
        let path = "/api/users/invitations";
        self.post(token, &self.addresses.auth, path, Some(body))
            .await
    }

    /// Uses such a code, or a reset.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn accept(&self, body: &Value) -> Result<Value> {
        let auth = &self.addresses.auth;
        let request = self.request(Method::POST, auth, "/api/users/accept")?;
        self.send(request.json(body)).await
    }

    /// Does something with one's own second factor.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn second_factor(&self, token: &str, action: &str, body: &Value) -> Result<Value> {
        let path = format!("{SECOND_FACTOR}{action}");
        let auth = &self.addresses.auth;
        self.post(token, auth, &path, Some(body)).await
    }

    /// How it is with one's own second factor.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn second_factor_state(&self, token: &str) -> Result<Value> {
        self.get(token, &self.addresses.auth, SECOND_FACTOR, &[])
            .await
    }

    /// Takes one's own second factor away.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn remove_second_factor(&self, token: &str, body: &Value) -> Result<Value> {
        let auth = &self.addresses.auth;
        let request = self.request(Method::DELETE, auth, SECOND_FACTOR)?;
        self.send(request.bearer_auth(token).json(body)).await
    }
}

impl Client {
    /// Somebody, by id.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn user(&self, token: &str, id: Uuid) -> Result<Option<Value>> {
        let path = format!("/api/users/{id}");
        found(self.get(token, &self.addresses.auth, &path, &[]).await)
    }

    /// The caller's own sessions.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn sessions(&self, token: &str) -> Result<Value> {
        let auth = &self.addresses.auth;
        self.get(token, auth, "/api/sessions", &[]).await
    }

    /// Ends one of them.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn end_session(&self, token: &str, id: Uuid) -> Result<()> {
        let path = format!("/api/sessions/{id}");
        self.delete(token, &self.addresses.auth, &path).await
    }
}
