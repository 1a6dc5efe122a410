//! The HTTP side of the bank, as its clients see it. Nothing here knows more than they do.

mod login;

mod audit;
mod clients;
mod keys;
mod mandates;
mod users;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use common::ids::{AccountId, PaymentId};
use common::kinds::account::OpenAccount;
use common::kinds::payment::PaymentRequest;
use local::Status;
use reqwest::{Method, RequestBuilder, StatusCode, Url, header};
use serde::Deserialize;
use serde_json::Value;

pub(crate) use login::{Login, access_token};

use crate::failure::{Exit, Hinted as _};
use crate::running::invocation;

/// A service that is well answers within milliseconds.
const TIMEOUT: Duration = Duration::from_secs(10);
/// What opens an account waits this long for the ledger's answer. Source: `ledger/src/http/accounts.rs`.
const OPENING_WAIT: Duration = Duration::from_secs(10);

/// A client of the three services.
pub(crate) struct Client {
    http: reqwest::Client,
    status: Status,
    /// What to do when a service does not answer.
    hint: String,
}

/// An answer that is a refusal.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.text())]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    /// It is the answer to an earlier request, see [`Done`].
    pub(crate) is_repeated: bool,
    /// RFC 9457's document, SimpleJWT's or OAuth's; `null` for anything else.
    pub(crate) body: Value,
}

/// An answer that is no refusal.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) body: Value,
    /// It is the answer to an earlier request for the same, and nothing was done now.
    pub(crate) is_repeated: bool,
}

/// Whether something was done is unknown: there was no answer, or one that says that something does not answer.
pub(crate) fn is_unknown(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<Refused>()
        .is_none_or(|refused| refused.status.is_server_error())
}

impl Refused {
    /// What a script should make of it.
    fn exit(&self) -> Exit {
        match self.status {
            StatusCode::NOT_FOUND => Exit::NotFound,
            status if status.is_server_error() => Exit::Unreachable,
            _ if self.body["reason"]["code"].is_string() => Exit::Rejected,
            _ => Exit::Failed,
        }
    }

    fn text(&self) -> String {
        let field = |name: &str| self.body[name].as_str();
        let code = self.body["reason"]["code"].as_str();
        match (code, field("detail").or(field("error_description"))) {
            (Some(code), Some(detail)) => format!("{code}: {detail}"),
            (None, Some(detail)) => detail.to_owned(),
            (_, None) => match field("error") {
                Some(error) => error.to_owned(),
                None if self.body.is_null() => self.status.to_string(),
                None => format!("{}: {}", self.status, self.body),
            },
        }
    }
}

/// An account with its balances, as the ledger shows it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Account {
    pub(crate) account_id: AccountId,
    pub(crate) owner: String,
    pub(crate) name: Option<String>,
    pub(crate) currency: String,
    pub(crate) category: String,
    pub(crate) status: String,
    pub(crate) posted: String,
    pub(crate) held: String,
    pub(crate) available: String,
    pub(crate) overdraft_limit: String,
    pub(crate) opened_seq: u64,
}

impl Client {
    /// A client of the bank in `home`.
    pub(crate) fn new(status: &Status, home: &Path) -> Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(TIMEOUT)
            .build()?;
        Ok(Self {
            http,
            status: status.clone(),
            hint: format!("`{} status` tells which part is down", invocation(home)),
        })
    }

    /// The account, opened now or before with the same terms.
    pub(crate) async fn open_account(&self, token: &str, account: &OpenAccount) -> Result<Done> {
        let request = self.request(Method::POST, &self.status.ledger, "/accounts")?;
        let request = request.timeout(TIMEOUT + OPENING_WAIT);
        let (status, done) = self
            .answer(request.bearer_auth(token).json(account))
            .await?;
        Ok(Done {
            is_repeated: status == StatusCode::OK,
            ..done
        })
    }

    /// The account, if this caller has or may see it.
    pub(crate) async fn account(&self, token: &str, id: AccountId) -> Result<Option<Value>> {
        let path = format!("/accounts/{id}");
        let request = self.request(Method::GET, &self.status.ledger, &path)?;
        found(self.send(request.bearer_auth(token)).await)
    }

    /// Asks for a payment; with `wait`, waits as many seconds for the settlement.
    pub(crate) async fn pay(
        &self,
        token: &str,
        payment: &PaymentRequest,
        wait: Option<u64>,
    ) -> Result<Done> {
        let mut request = self
            .request(Method::POST, &self.status.payments, "/payments")?
            .bearer_auth(token)
            .json(payment);
        if let Some(seconds) = wait {
            request = request
                .header("prefer", format!("wait={seconds}"))
                .timeout(TIMEOUT + Duration::from_secs(seconds));
        }
        Ok(self.answer(request).await?.1)
    }

    /// The payment, if this caller has asked for it.
    pub(crate) async fn payment(&self, token: &str, id: PaymentId) -> Result<Option<Value>> {
        self.payment_of(token, id, None).await
    }

    /// The payment of this client, if the caller may see it.
    pub(crate) async fn payment_of(
        &self,
        token: &str,
        id: PaymentId,
        client_id: Option<&str>,
    ) -> Result<Option<Value>> {
        let path = format!("/payments/{id}");
        let query: Vec<_> = client_id
            .map(|id| ("client_id", id.to_owned()))
            .into_iter()
            .collect();
        let request = self.look(&self.status.payments, &path, &query)?;
        found(self.send(request.bearer_auth(token)).await)
    }

    /// A page of payments.
    pub(crate) async fn payments(&self, token: &str, query: &[(&str, String)]) -> Result<Value> {
        let request = self.look(&self.status.payments, "/payments", query)?;
        self.send(request.bearer_auth(token)).await
    }

    /// A page of accounts.
    pub(crate) async fn accounts(&self, token: &str, query: &[(&str, String)]) -> Result<Value> {
        let request = self.look(&self.status.ledger, "/accounts", query)?;
        self.send(request.bearer_auth(token)).await
    }

    /// What a service says of itself: `ready`, what is late, or as the error, why it is not ready.
    pub(crate) async fn readiness(&self, service_url: &str) -> Result<String, String> {
        let ask = async {
            let request = self.request(Method::GET, service_url, "/health/ready")?;
            let answer = request.timeout(Duration::from_secs(2)).send().await?;
            anyhow::Ok((answer.status().is_success(), answer.json::<Value>().await?))
        };
        let Ok((is_ready, body)) = ask.await else {
            return Err("does not answer".to_owned());
        };
        if !is_ready {
            let detail = body["detail"].as_str().unwrap_or("not ready");
            return Err(detail.to_owned());
        }
        let late = body["parts"].as_object().into_iter().flatten();
        let late: Vec<_> = late
            .map(|(part, trouble)| format!("{part} {}", trouble.as_str().unwrap_or_default()))
            .collect();
        Ok(if late.is_empty() {
            "ready".to_owned()
        } else {
            format!("ready, but {}", late.join("; "))
        })
    }

    async fn send(&self, request: RequestBuilder) -> Result<Value> {
        Ok(self.answer(request).await?.1.body)
    }

    async fn answer(&self, request: RequestBuilder) -> Result<(StatusCode, Done)> {
        let response = request
            .header(header::ACCEPT, "application/json, application/problem+json")
            .send()
            .await
            .map_err(|error| {
                let to = error.url().map_or_else(String::new, |url| self.name(url));
                let source = error.without_url();
                anyhow::Error::new(source).context(format!("{to} does not answer"))
            })
            .exit(Exit::Unreachable)
            .hint(&self.hint)?;
        let status = response.status();
        let is_repeated = response.headers().contains_key("idempotency-replayed");
        let bytes = response.bytes().await.context("the answer ended early")?;
        let body = serde_json::from_slice(&bytes);
        if !status.is_success() {
            let refused = Refused {
                status,
                is_repeated,
                body: body.unwrap_or_default(),
            };
            let exit = refused.exit();
            return Err(refused).exit(exit);
        }
        let body = match status {
            StatusCode::NO_CONTENT => Value::Null,
            _ => body.context("the answer is no JSON")?,
        };
        Ok((status, Done { body, is_repeated }))
    }

    /// The service at this URL, for people.
    fn name(&self, url: &Url) -> String {
        let origin = url.origin().ascii_serialization();
        let status = &self.status;
        let services = [
            ("auth", &status.auth),
            ("the ledger", &status.ledger),
            ("payments", &status.payments),
        ];
        let service = services.into_iter().find(|(_, url)| **url == origin);
        service.map_or_else(|| origin.clone(), |(name, _)| format!("{name} at {origin}"))
    }

    fn look(
        &self,
        service_url: &str,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<RequestBuilder> {
        let mut url = Url::parse(service_url)?.join(path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(self.http.get(url))
    }

    fn request(&self, method: Method, service_url: &str, path: &str) -> Result<RequestBuilder> {
        let url = Url::parse(service_url)?.join(path)?;
        Ok(self.http.request(method, url))
    }
}

/// 404 is an answer too.
fn found(answer: Result<Value>) -> Result<Option<Value>> {
    match answer {
        Err(error) if is_not_found(&error) => Ok(None),
        other => other.map(Some),
    }
}

fn is_not_found(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<Refused>()
        .is_some_and(|refused| refused.status == StatusCode::NOT_FOUND)
}
