//! The service under test, and what it answers.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test may panic like the test"
)]

use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::DropGuard;

/// Longer than anything here takes; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The service under test.
pub(crate) struct Running {
    pub(crate) url: String,
    pub(crate) stop: DropGuard,
    pub(crate) task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// Stops it in order; its outcome.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        drop(self.stop);
        self.task.await.unwrap()
    }

    /// Waits until it ends by itself.
    pub(crate) async fn end(self) -> anyhow::Result<()> {
        tokio::time::timeout(PATIENCE, self.task)
            .await
            .unwrap()
            .unwrap()
    }

    pub(crate) async fn post(&self, token: &str, body: &Value) -> Got {
        self.post_with(token, &[], body.to_string()).await
    }

    pub(crate) async fn post_waiting(&self, token: &str, body: &Value, seconds: u32) -> Got {
        let prefer = format!("wait={seconds}");
        self.post_with(token, &[("prefer", &prefer)], body.to_string())
            .await
    }

    pub(crate) async fn post_with(
        &self,
        token: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Got {
        let mut request = reqwest::Client::new()
            .post(format!("{}/payments", self.url))
            .body(body);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Got::from(request).await
    }

    /// Posts to any path; without a token when it is empty.
    pub(crate) async fn post_to(&self, path: &str, token: &str, body: &Value) -> Got {
        let request = reqwest::Client::new().post(format!("{}{path}", self.url));
        let request = match token {
            "" => request,
            token => request.bearer_auth(token),
        };
        Got::from(request.json(body)).await
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> Got {
        let request = reqwest::Client::new().get(format!("{}{path}", self.url));
        Got::from(request.bearer_auth(token)).await
    }
}

/// An HTTP response.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Got {
    async fn from(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.json().await.unwrap_or_default();
        Self {
            status,
            headers,
            body,
        }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The sequence in a `202`.
    pub(crate) fn request_seq(&self) -> u64 {
        assert_eq!(self.status, 202, "{self:?}");
        self.body["request_seq"].as_u64().unwrap()
    }
}
