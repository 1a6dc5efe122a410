//! Accounts, at the ledger.

use std::time::Duration;

use common::ids::AccountId;
use common::kinds::account::OpenAccount;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use crate::{Client, Done, Result, TIMEOUT, found};

/// What opens an account waits this long for the ledger's answer. Source: `ledger/src/http/accounts.rs`.
const OPENING_WAIT: Duration = Duration::from_secs(10);

/// An account with its balances, as the ledger shows it.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "the names of the JSON")]
pub struct Account {
    pub account_id: AccountId,
    pub owner: String,
    pub name: Option<String>,
    pub currency: String,
    pub category: String,
    pub status: String,
    pub posted: String,
    pub held: String,
    pub available: String,
    pub overdraft_limit: String,
    pub opened_seq: u64,
}

impl Client {
    /// The account, opened now or before with the same terms.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn open_account(&self, token: &str, account: &OpenAccount) -> Result<Done> {
        let ledger = &self.addresses.ledger;
        let request = self.request(Method::POST, ledger, "/accounts")?;
        let request = request.timeout(TIMEOUT + OPENING_WAIT);
        let request = request.bearer_auth(token).json(account);
        let (status, done) = self.answer(request).await?;
        Ok(Done {
            is_repeated: status == StatusCode::OK,
            ..done
        })
    }

    /// The account, if this caller has or may see it.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn account(&self, token: &str, id: AccountId) -> Result<Option<Value>> {
        let path = format!("/accounts/{id}");
        found(self.get(token, &self.addresses.ledger, &path, &[]).await)
    }

    /// A page of accounts.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn accounts(&self, token: &str, query: &[(&str, String)]) -> Result<Value> {
        let ledger = &self.addresses.ledger;
        self.get(token, ledger, "/accounts", query).await
    }
}
