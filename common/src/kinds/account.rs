//! What may be asked about an account: opening one.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, ClientId};
use crate::kinds::body::{AnswerBody, RequestBody};
use crate::message::{EventHeaders, Outgoing};
use crate::reason::Reason;
use crate::timestamp;

/// The `ce-type` of an account request.
pub const REQUESTED: &str = "account.requested.v1";
/// What its subjects begin with; the client's id follows.
pub(super) const SUBJECT_PREFIX: &str = "request.account.v1.";

/// Where a client's account requests are published.
#[must_use]
pub fn subject(client: &ClientId) -> String {
    format!("{SUBJECT_PREFIX}{client}")
}

impl AccountRequest {
    /// The account that it is about.
    #[must_use]
    pub fn account_id(&self) -> AccountId {
        match self {
            Self::Open(open) => open.account_id,
        }
    }

    /// The message that asks for it.
    #[must_use]
    pub fn message(&self, client: &ClientId, token: &str) -> Outgoing {
        let event = EventHeaders {
            ce_type: REQUESTED,
            ce_id: self.account_id(),
            ce_source: &format!("/clients/{client}"),
        };
        Outgoing::request(subject(client), token, event, None, self)
    }
}

/// Asks to change an account. Subject `request.account.v1.<client_id>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "action", rename_all = "snake_case")]
#[schemars(title = "account.requested.v1")]
pub enum AccountRequest {
    /// Opens an account with a balance of zero.
    Open(OpenAccount),
}

impl RequestBody for AccountRequest {}

/// The terms of a new account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenAccount {
    /// Chosen by whoever opens it; the same request again opens nothing and is answered as a duplicate.
    pub account_id: AccountId,
    /// The `sub` of the tokens that may pay from it.
    #[schemars(length(min = 1, max = 128))]
    pub owner: String,
    /// ISO 4217 code.
    #[schemars(regex(pattern = "^[A-Z]{3}$"))]
    pub currency: String,
    /// What it is in the bank's books; a customer's account is a liability.
    #[serde(default)]
    pub category: Category,
    /// For people; up to 140 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 140))]
    pub name: Option<String>,
    /// How far below zero its balance may go; nothing when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$"))]
    pub overdraft_limit: Option<String>,
}

/// Longest `owner`, in characters.
pub const OWNER_CHARS_MAX: usize = 128;

/// What an account is in the bank's own books. It gives the normal side: the side on which the balance grows.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// What the bank owns: cash, its accounts at other banks. Grows by debits.
    Asset,
    /// What the bank owes: its customers' accounts. Grows by credits.
    #[default]
    Liability,
    /// The owners' share. Grows by credits.
    Equity,
    /// Fees and interest earned. Grows by credits.
    Income,
    /// Costs. Grows by debits.
    Expense,
}

impl Category {
    /// The word on the wire and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asset => "asset",
            Self::Liability => "liability",
            Self::Equity => "equity",
            Self::Income => "income",
            Self::Expense => "expense",
        }
    }

    /// The category of a word from the database.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [
            Self::Asset,
            Self::Liability,
            Self::Equity,
            Self::Income,
            Self::Expense,
        ]
        .into_iter()
        .find(|category| category.as_str() == word)
    }
}

/// What became of an account request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "account.opened.v1, account.rejected.v1, account.duplicate.v1")]
pub struct AccountAnswer {
    /// Sequence of the request and of this answer.
    pub request_seq: u64,
    /// `null` when the request was too malformed to read it.
    pub account_id: Option<AccountId>,
    /// Who asked.
    pub client_id: ClientId,
    /// The outcome.
    pub status: AccountStatus,
    /// Why it was rejected; `null` otherwise.
    pub reason: Option<Reason>,
    /// Whose account it is.
    pub owner: Option<String>,
    /// Its currency.
    pub currency: Option<String>,
    /// Its place in the bank's books.
    pub category: Option<Category>,
    /// Its name.
    pub name: Option<String>,
    /// How far below zero it may go.
    pub overdraft_limit: Option<String>,
    /// The broker's timestamp of the request.
    #[serde(with = "timestamp")]
    #[schemars(with = "DateTime<Utc>")]
    pub published_at: DateTime<Utc>,
}

/// The outcome of an account request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccountStatus {
    /// The account exists now.
    Opened,
    /// Nothing changed.
    Rejected,
    /// It exists already, with the same terms.
    Duplicate,
}

impl AccountStatus {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Rejected => "rejected",
            Self::Duplicate => "duplicate",
        }
    }
}

impl AnswerBody for AccountAnswer {
    fn ce_type(&self) -> &'static str {
        match self.status {
            AccountStatus::Opened => "account.opened.v1",
            AccountStatus::Rejected => "account.rejected.v1",
            AccountStatus::Duplicate => "account.duplicate.v1",
        }
    }

    fn about(&self) -> Option<String> {
        self.account_id.map(|id| id.to_string())
    }

    fn outcome(&self) -> (&'static str, Option<&Reason>) {
        (self.status.as_str(), self.reason.as_ref())
    }

    fn request_seq(&self) -> u64 {
        self.request_seq
    }
}
