//! People who call auth's own API.

use auth::people::{self, Role};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Bank, PASSWORD, text};

pub(crate) const ADMIN: &str = "admin@b.rw";
pub(crate) const NEW_PASSWORD: &str = "seven quiet rivers meet";

pub(crate) async fn log_in(bank: &Bank, email: &str, password: &str) -> Response {
    let login = json!({"email": email, "password": password});
    bank.post("/api/token/", &login).await
}

/// The tokens of a new login.
pub(crate) async fn pair(bank: &Bank, email: &str, password: &str) -> Value {
    let answer = log_in(bank, email, password).await;
    assert_eq!(answer.status(), StatusCode::OK, "{email}");
    answer.json().await.expect("a pair")
}

/// Asks with the access token of a pair.
pub(crate) async fn call(
    bank: &Bank,
    method: Method,
    path: &str,
    pair: &Value,
    body: Option<&Value>,
) -> (StatusCode, Value) {
    let request = bank.http.request(method, bank.at(path));
    let mut request = request.bearer_auth(text(pair, "access"));
    if let Some(body) = body {
        request = request.json(body);
    }
    let answer = request.send().await.expect("auth answers");
    (answer.status(), answer.json().await.unwrap_or_default())
}

/// Somebody who is logged in.
pub(crate) struct Caller<'b> {
    bank: &'b Bank,
    pub(crate) pair: Value,
}

impl<'b> Caller<'b> {
    /// With the password of most tests.
    pub(crate) async fn log_in(bank: &'b Bank, email: &str) -> Self {
        Self::with_password(bank, email, PASSWORD).await
    }

    pub(crate) async fn with_password(bank: &'b Bank, email: &str, password: &str) -> Self {
        let pair = pair(bank, email, password).await;
        Self { bank, pair }
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> (StatusCode, Value) {
        call(self.bank, method, path, &self.pair, body).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        self.call(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.call(Method::GET, path, None).await
    }
}

/// The tokens of an administrator.
pub(crate) async fn admins_pair(bank: &Bank) -> Value {
    with_admin(bank).await.pair
}

/// An administrator, logged in.
pub(crate) async fn with_admin(bank: &Bank) -> Caller<'_> {
    people::ensure_user(&bank.pool, ADMIN, PASSWORD, Role::Admin)
        .await
        .expect("an administrator");
    Caller::log_in(bank, ADMIN).await
}
