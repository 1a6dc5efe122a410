//! Payments.

use std::time::Duration;

use chrono::{DateTime, Utc};
use common::ids::{AccountId, BatchId, ClientId, PaymentId};
use common::kinds::bulk::ItemAnswer;
use common::kinds::hold::HoldRequest;
use common::kinds::payment::PaymentRequest;
use common::kinds::transaction::TransactionRequest;
use common::reason::Reason;
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Client, Done, Result, TIMEOUT, found};

/// A batch of payments: in a list without them, in an answer that was waited for without a client.
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "the names of the JSON")]
pub struct PaymentBatch {
    pub batch_id: BatchId,
    pub request_seq: u64,
    pub client_id: ClientId,
    pub status: String,
    pub settled: Option<u32>,
    pub rejected: Option<u32>,
    pub duplicates: Option<u32>,
    pub reason: Option<Reason>,
    pub atomic: Option<bool>,
    pub debtor_account: Option<AccountId>,
    pub currency: Option<String>,
    #[serde(default)]
    pub payments: Vec<ItemAnswer>,
    pub published_at: DateTime<Utc>,
}

impl Client {
    /// Asks for a payment; with `wait`, waits as many seconds for the settlement.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn pay(
        &self,
        token: &str,
        payment: &PaymentRequest,
        wait: Option<u64>,
    ) -> Result<Done> {
        self.submit(token, "/payments", payment, wait).await
    }

    /// Asks for a hold.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn hold(&self, token: &str, hold: &HoldRequest, wait: Option<u64>) -> Result<Done> {
        #[derive(Serialize)]
        struct Held<'h> {
            capture: &'static str,
            #[serde(flatten)]
            hold: &'h HoldRequest,
        }
        let capture = "manual";
        self.submit(token, "/payments", &Held { capture, hold }, wait)
            .await
    }

    /// Asks for something about a payment: `capture` or `void` of a hold, `reverse`.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn act(
        &self,
        token: &str,
        payment: PaymentId,
        action: &str,
        body: &Value,
        wait: Option<u64>,
    ) -> Result<Done> {
        let path = format!("/payments/{payment}/{action}");
        self.submit(token, &path, body, wait).await
    }

    /// Asks for a transaction of several postings.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn book(
        &self,
        token: &str,
        transaction: &TransactionRequest,
        wait: Option<u64>,
    ) -> Result<Done> {
        self.submit(token, "/transactions", transaction, wait).await
    }

    /// Asks for a batch of payments, as JSON: what is wrong with it is the service's to say.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn pay_many(&self, token: &str, batch: &Value, wait: Option<u64>) -> Result<Done> {
        self.submit(token, "/payment-batches", batch, wait).await
    }

    /// The batch, if this caller may see it, as a [`PaymentBatch`] or as JSON. Without a client it is the caller's own, or
    /// with `bank:operate` anybody's.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn batch<T: DeserializeOwned>(
        &self,
        token: &str,
        id: BatchId,
        client_id: Option<&str>,
    ) -> Result<Option<T>> {
        let path = format!("/payment-batches/{id}");
        let query = client_id.map(|id| ("client_id", id.to_owned()));
        let query: Vec<_> = query.into_iter().collect();
        let payments = &self.addresses.payments;
        found(self.get(token, payments, &path, &query).await)
    }

    /// A page of batches.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn batches(&self, token: &str, query: &[(&str, String)]) -> Result<Value> {
        let payments = &self.addresses.payments;
        self.get(token, payments, "/payment-batches", query).await
    }

    async fn submit(
        &self,
        token: &str,
        path: &str,
        body: &impl Serialize,
        wait: Option<u64>,
    ) -> Result<Done> {
        let payments = &self.addresses.payments;
        let request = self.request(Method::POST, payments, path)?;
        let mut request = request.bearer_auth(token).json(body);
        if let Some(seconds) = wait {
            request = request
                .header("prefer", format!("wait={seconds}"))
                .timeout(TIMEOUT + Duration::from_secs(seconds));
        }
        Ok(self.answer(request).await?.1)
    }

    /// The payment, if this caller may see it. Without a client it is the caller's own, or with `bank:operate` anybody's.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn payment(
        &self,
        token: &str,
        id: PaymentId,
        client_id: Option<&str>,
    ) -> Result<Option<Value>> {
        let path = format!("/payments/{id}");
        let query = client_id.map(|id| ("client_id", id.to_owned()));
        let query: Vec<_> = query.into_iter().collect();
        let payments = &self.addresses.payments;
        found(self.get(token, payments, &path, &query).await)
    }

    /// A page of what followed on a payment: captures, voids, reversals.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn follow_ups(
        &self,
        token: &str,
        id: PaymentId,
        query: &[(&str, String)],
    ) -> Result<Value> {
        let path = format!("/payments/{id}/follow-ups");
        self.get(token, &self.addresses.payments, &path, query)
            .await
    }

    /// A page of payments.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn payments(&self, token: &str, query: &[(&str, String)]) -> Result<Value> {
        let payments = &self.addresses.payments;
        self.get(token, payments, "/payments", query).await
    }
}
