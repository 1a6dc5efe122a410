//! The client of our HTTP API. It knows no more than any other client: paths, bodies, and what a refusal looks like.
//!
//! The commands and the console use it. One file per group of paths; [`Error`] is the same for all.

mod error;

mod accounts;
mod activity;
mod events;
mod files;
mod keys;
mod log;
mod login;
mod mandates;
mod payments;
mod people;
mod receipts;
mod service_accounts;
mod statements;
mod trust;

use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode, Url, header};
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use accounts::{
    Account, AccountHold, AccountHolds, AccountPage, AccountPosting, AccountPostings, Control,
};
pub use activity::{ActiveSecond, Activity, Projected};
pub use error::{Error, Refused};
pub use events::{Before, Event, EventQuery, Events};
pub use files::{KeptFile, KeptFiles};
pub use log::{
    CategoryBalance, Checkpoint, CurrencyBalance, Entry, LogPage, Message, Pair, Replay, Replays,
    Steps, Subscriber, Subscribers, TrialBalance,
};
pub use login::{Login, NotForPeople, access_token, needs_code};
pub use payments::PaymentBatch;
pub use receipts::Consistency;
pub use statements::{Balance, Download, Statement};
pub use trust::{BadTrust, is_loopback};

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// A service that is well answers within milliseconds.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Whether it is ready, a service knows.
const READINESS_TIMEOUT: Duration = Duration::from_secs(2);

/// Where the services are: `http://127.0.0.1:8081`, or behind a gateway `https://bank.example.org/auth`.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// Signs tokens.
    pub auth: String,
    /// Books.
    pub ledger: String,
    /// Takes payments.
    pub payments: String,
}

impl Addresses {
    /// Those behind the gateway at this address.
    #[must_use]
    pub fn behind(gateway: &str) -> Self {
        let gateway = gateway.trim_end_matches('/');
        Self {
            auth: format!("{gateway}/auth"),
            ledger: format!("{gateway}/bank"),
            payments: format!("{gateway}/payment"),
        }
    }
}

/// A client of the three services.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    addresses: Addresses,
}

/// An answer that is no refusal.
#[derive(Debug)]
pub struct Done {
    /// What the service answered; `null` when it had nothing to say.
    pub body: Value,
    /// It is the answer to an earlier request for the same, and nothing was done now.
    pub is_repeated: bool,
}

impl Client {
    /// A client of the services at these addresses, which speak HTTP: nobody vouches for one that speaks HTTPS.
    ///
    /// # Panics
    /// When the machine has no source of randomness.
    #[must_use]
    pub fn new(addresses: Addresses) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(TIMEOUT);
        // Where no authority is installed, as in our image, asking the machine for them is an error.
        let http = http.tls_certs_only([]);
        Self {
            http: http.build().expect("constant settings"),
            addresses,
        }
    }

    /// Where the services are.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// What a service says of itself: `ready`, what is late, or as the error, why it is not ready.
    ///
    /// # Errors
    /// The sentence that says what is missing.
    pub async fn readiness(&self, service_url: &str) -> std::result::Result<String, String> {
        let silent = || "does not answer".to_owned();
        let request = self.request(Method::GET, service_url, "/health/ready");
        let request = request.map_err(|error| error.to_string())?;
        let answer = request.timeout(READINESS_TIMEOUT).send().await;
        let answer = answer.map_err(|_| silent())?;
        let is_ready = answer.status().is_success();
        let body: Value = answer.json().await.map_err(|_| silent())?;
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

    /// Whether this service is at its address, well or not.
    ///
    /// # Errors
    /// [`Error`]; not found when something else is there.
    pub async fn is_there(&self, service_url: &str) -> Result<bool> {
        let request = self.request(Method::GET, service_url, "/health/live")?;
        Ok(self.send(request).await?["status"] == "ok")
    }

    /// Asks with this token for what stands at a path.
    async fn get<T: DeserializeOwned>(
        &self,
        token: &str,
        service_url: &str,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T> {
        let mut url = join(service_url, path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let service = self.name(&url);
        let answer = self.send(self.http.get(url).bearer_auth(token)).await?;
        T::deserialize(answer).map_err(|error| {
            let cause = error.to_string();
            Error::Unreadable { service, cause }
        })
    }

    /// Posts this body with this token.
    async fn post(
        &self,
        token: &str,
        service_url: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value> {
        let request = self.request(Method::POST, service_url, path)?;
        let request = request.bearer_auth(token);
        self.send(match body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
    }

    /// Deletes what stands at a path.
    async fn delete(&self, token: &str, service_url: &str, path: &str) -> Result<()> {
        let request = self.request(Method::DELETE, service_url, path)?;
        self.send(request.bearer_auth(token)).await.map(drop)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Value> {
        Ok(self.answer(request).await?.1.body)
    }

    async fn answer(&self, request: RequestBuilder) -> Result<(StatusCode, Done)> {
        let request = request.header(header::ACCEPT, "application/json, application/problem+json");
        let answer = self.bytes(request).await?;
        let body = match answer.status {
            StatusCode::NO_CONTENT => Value::Null,
            _ => serde_json::from_slice(&answer.bytes).map_err(|error| {
                let (service, cause) = (answer.service, error.to_string());
                Error::Unreadable { service, cause }
            })?,
        };
        let is_repeated = answer.is_repeated;
        Ok((answer.status, Done { body, is_repeated }))
    }

    /// An answer of any form that is no refusal.
    async fn bytes(&self, request: RequestBuilder) -> Result<Answered> {
        let response = request.send().await.map_err(|error| {
            let service = error.url().map_or_else(String::new, |url| self.name(url));
            Error::Silent {
                service,
                source: error.without_url(),
            }
        })?;
        let status = response.status();
        let service = self.name(response.url());
        let is_repeated = response.headers().contains_key("idempotency-replayed");
        let bytes = match response.bytes().await {
            Ok(bytes) => bytes,
            Err(error) => {
                let source = error.without_url();
                return Err(Error::Silent { service, source });
            }
        };
        if !status.is_success() {
            return Err(Error::Refused(Refused {
                status,
                is_repeated,
                body: serde_json::from_slice(&bytes).unwrap_or_default(),
            }));
        }
        Ok(Answered {
            status,
            service,
            is_repeated,
            bytes: bytes.into(),
        })
    }

    /// The service at this URL, for people.
    fn name(&self, url: &Url) -> String {
        let origin = url.origin().ascii_serialization();
        let addresses = &self.addresses;
        let services = [
            ("auth", &addresses.auth),
            ("the ledger", &addresses.ledger),
            ("payments", &addresses.payments),
        ];
        // Behind a gateway all three have one origin.
        let is_at = |address: &str| {
            let below = url.as_str().strip_prefix(address.trim_end_matches('/'));
            below.is_some_and(|below| below.is_empty() || below.starts_with(['/', '?']))
        };
        let service = services.into_iter().find(|(_, address)| is_at(address));
        service.map_or_else(|| origin.clone(), |(name, _)| format!("{name} at {origin}"))
    }

    fn request(&self, method: Method, service_url: &str, path: &str) -> Result<RequestBuilder> {
        Ok(self.http.request(method, join(service_url, path)?))
    }
}

/// What a service answered.
struct Answered {
    status: StatusCode,
    /// Which one, for people.
    service: String,
    is_repeated: bool,
    bytes: Vec<u8>,
}

/// A path of a service, whose own address may have a path too.
fn join(service_url: &str, path: &str) -> Result<Url> {
    let url = Url::parse(&format!("{}{path}", service_url.trim_end_matches('/')));
    url.map_err(|_| Error::Address(service_url.to_owned()))
}

/// 404 is an answer too.
fn found<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Err(error) if error.is_not_found() => Ok(None),
        other => other.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_found_and_named_behind_a_gateway_and_without_one() {
        let direct = Addresses {
            auth: "http://127.0.0.1:8081".to_owned(),
            ledger: "http://127.0.0.1:8082/".to_owned(),
            payments: "http://127.0.0.1:8083".to_owned(),
        };
        let gateway = Addresses::behind("https://bank.example/");
        for (addresses, ledger, named) in [
            (
                direct,
                "http://127.0.0.1:8082/accounts",
                "the ledger at http://127.0.0.1:8082",
            ),
            (
                gateway,
                "https://bank.example/bank/accounts",
                "the ledger at https://bank.example",
            ),
        ] {
            let client = Client::new(addresses);
            let url = join(&client.addresses().ledger, "/accounts").unwrap();
            assert_eq!(url.as_str(), ledger);
            assert_eq!(client.name(&url), named);
        }
    }
}
