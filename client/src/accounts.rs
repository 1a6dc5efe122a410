//! Accounts, at the ledger.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use common::account_number::{AccountName, AccountNumber};
use common::ids::{AccountId, PaymentId};
use common::kinds::account::{Limits, OpenAccount, Side};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::{Client, Done, Result, TIMEOUT, found};

/// What opens an account waits this long for the ledger's answer. Source: `ledger/src/http/accounts.rs`.
const OPENING_WAIT: Duration = Duration::from_secs(10);

/// An account with its balances, as the ledger shows it.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "the names of the JSON")]
pub struct Account {
    pub account_id: AccountId,
    pub account_number: String,
    pub owner: String,
    pub name: Option<String>,
    pub currency: String,
    pub category: String,
    pub status: String,
    pub posted: String,
    pub held: String,
    pub available: String,
    pub overdraft_limit: String,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    pub opened_seq: u64,
}

/// A page of accounts, by id.
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "the names of the JSON")]
pub struct AccountPage {
    pub accounts: Vec<Account>,
    pub next: Option<String>,
}

/// A page of what is held on an account, the newest first.
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "the names of the JSON")]
pub struct AccountHolds {
    pub currency: String,
    pub holds: Vec<AccountHold>,
    pub next: Option<String>,
}

/// A hold that can be captured.
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "the names of the JSON")]
pub struct AccountHold {
    pub hold_id: PaymentId,
    pub client_id: String,
    pub request_seq: u64,
    pub creditor_account: AccountId,
    pub amount: String,
    pub remaining: String,
    pub reference: Option<String>,
    pub expires_at: Option<DateTime<Utc>>,
}

/// What bank staff do with an account.
#[derive(Debug, Clone)]
pub enum Control {
    /// Blocks a side, or both.
    Freeze(Side),
    /// Ends that.
    Unfreeze(Side),
    /// Ends the account.
    Close,
    /// Sets all its limits.
    Limit(Limits),
}

/// A page of what was posted to an account, the newest first.
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "the names of the JSON")]
pub struct AccountPostings {
    pub currency: String,
    pub postings: Vec<AccountPosting>,
    pub next: Option<String>,
}

/// One posting on an account, with the balance after it.
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "the names of the JSON")]
pub struct AccountPosting {
    pub number: u64,
    pub request_seq: u64,
    pub direction: String,
    pub amount: String,
    pub balance: String,
    pub booked_at: DateTime<Utc>,
    pub effective_date: NaiveDate,
    pub payment_id: Option<PaymentId>,
    pub client_id: Option<String>,
    pub counterparty: Option<AccountId>,
    pub reference: Option<String>,
    pub counterparty_number: Option<String>,
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

    /// Controls an account. The answer is the account, or where the request stands.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn control(
        &self,
        token: &str,
        account: impl Into<AccountName>,
        control: &Control,
    ) -> Result<Done> {
        let (method, action, body) = match control {
            Control::Freeze(side) => (Method::POST, "freeze", json!({"side": side})),
            Control::Unfreeze(side) => (Method::POST, "unfreeze", json!({"side": side})),
            Control::Close => (Method::POST, "close", json!({})),
            Control::Limit(limits) => (Method::PUT, "limits", json!(limits)),
        };
        let account = account.into();
        let path = format!("/accounts/{account}/{action}");
        let request = self.request(method, &self.addresses.ledger, &path)?;
        let request = request.timeout(TIMEOUT + OPENING_WAIT);
        let request = request.bearer_auth(token).json(&body);
        Ok(self.answer(request).await?.1)
    }

    /// What is held on an account.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn holds<T: DeserializeOwned>(
        &self,
        token: &str,
        account: impl Into<AccountName>,
        query: &[(&str, String)],
    ) -> Result<T> {
        let account = account.into();
        let path = format!("/accounts/{account}/holds");
        let ledger = &self.addresses.ledger;
        self.get(token, ledger, &path, query).await
    }

    /// What was posted to an account.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn postings(
        &self,
        token: &str,
        account: impl Into<AccountName>,
        query: &[(&str, String)],
    ) -> Result<AccountPostings> {
        let account = account.into();
        let path = format!("/accounts/{account}/postings");
        let ledger = &self.addresses.ledger;
        self.get(token, ledger, &path, query).await
    }

    /// The account, if this caller has or may see it.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn account<T: DeserializeOwned>(
        &self,
        token: &str,
        account: impl Into<AccountName>,
    ) -> Result<Option<T>> {
        let account = account.into();
        let path = format!("/accounts/{account}");
        found(self.get(token, &self.addresses.ledger, &path, &[]).await)
    }

    /// The id of the account with this number; nothing when there is none.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn account_id(
        &self,
        token: &str,
        number: AccountNumber,
    ) -> Result<Option<AccountId>> {
        #[derive(Deserialize)]
        struct Numbered {
            account_id: AccountId,
        }
        let path = format!("/account-numbers/{number}");
        let ledger = &self.addresses.ledger;
        let numbered = found(self.get::<Numbered>(token, ledger, &path, &[]).await)?;
        Ok(numbered.map(|numbered| numbered.account_id))
    }

    /// A page of accounts.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn accounts<T: DeserializeOwned>(
        &self,
        token: &str,
        query: &[(&str, String)],
    ) -> Result<T> {
        let ledger = &self.addresses.ledger;
        self.get(token, ledger, "/accounts", query).await
    }
}
