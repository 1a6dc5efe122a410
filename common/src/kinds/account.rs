//! What may be asked about an account: opening it, freezing, unfreezing and closing it, and its limits.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::ids::{AccountId, ClientId};
use crate::kinds::body::{AnswerBody, RequestBody};
use crate::kinds::metadata::METADATA_KEYS_MAX;
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
            Self::Freeze(freeze) | Self::Unfreeze(freeze) => freeze.account_id,
            Self::Close(close) => close.account_id,
            Self::Limit(limit) => limit.account_id,
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
    /// Blocks debits, credits or both. From rules 5 on, like everything below.
    Freeze(Freeze),
    /// Ends that.
    Unfreeze(Freeze),
    /// Ends an account for ever: only at a balance of zero and without holds.
    Close(CloseAccount),
    /// Sets all limits of an account at once.
    Limit(Limit),
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
    /// The opener's own notes, shown with the account and not interpreted. From rules 5 on.
    #[serde(
        default,
        deserialize_with = "noted",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "BTreeMap<String, String>", extend("maxProperties" = METADATA_KEYS_MAX))]
    pub metadata: Option<BTreeMap<String, String>>,
}

/// Reads a map, and no `null`: by older rules the field itself is unknown, so it must be known whether it was there.
fn noted<'de, D: Deserializer<'de>>(from: D) -> Result<Option<BTreeMap<String, String>>, D::Error> {
    BTreeMap::deserialize(from).map(Some)
}

/// Which side of an account is blocked, or is not any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    /// The account.
    pub account_id: AccountId,
    /// Both when absent.
    #[serde(default)]
    pub side: Side,
}

/// Names the account to close.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CloseAccount {
    /// The account.
    pub account_id: AccountId,
}

/// What is blocked on a frozen account.
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
pub enum Side {
    /// Nothing is debited.
    Debit,
    /// Nothing is credited.
    Credit,
    /// Neither.
    #[default]
    Both,
}

/// Sets the limits of an account: all of them, so what is absent is no limit any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// The account.
    pub account_id: AccountId,
    /// The limits.
    pub limits: Limits,
}

/// How far an account may go. Amounts are in its currency and not negative.
///
/// What is counted per day and month is what leaves the account by payments, transactions and holds, not by reversals, from
/// the time on at which a limit of that kind is set. Days and months are those of the published time in UTC.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"overdraft_limit": "50.00", "day_amount_max": "1000.00"}))]
pub struct Limits {
    /// How far below zero its balance may go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$"))]
    pub overdraft_limit: Option<String>,
    /// What stays on it: neither payments nor holds may use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$"))]
    pub minimum_balance: Option<String>,
    /// The most that it may hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$"))]
    pub maximum_balance: Option<String>,
    /// The most that may leave it on one day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$"))]
    pub day_amount_max: Option<String>,
    /// How many times something may leave it on one day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day_count_max: Option<u32>,
    /// The most that may leave it in one month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$"))]
    pub month_amount_max: Option<String>,
    /// How many times something may leave it in one month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub month_count_max: Option<u32>,
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
#[schemars(
    title = "account.opened.v1, account.rejected.v1, account.duplicate.v1, account.frozen.v1, account.unfrozen.v1, account.closed.v1, account.limited.v1"
)]
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
    /// What a freeze blocks or an unfreeze frees; absent from other answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
    /// The limits that hold from here on; absent from answers to other actions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// The opener's notes; absent when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
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
    /// It is already as asked for.
    Duplicate,
    /// One side or both are blocked.
    Frozen,
    /// What was asked for is not blocked any more.
    Unfrozen,
    /// It takes part in nothing any more.
    Closed,
    /// Its limits are as asked for.
    Limited,
}

impl AccountStatus {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Rejected => "rejected",
            Self::Duplicate => "duplicate",
            Self::Frozen => "frozen",
            Self::Unfrozen => "unfrozen",
            Self::Closed => "closed",
            Self::Limited => "limited",
        }
    }
}

impl AnswerBody for AccountAnswer {
    fn ce_type(&self) -> &'static str {
        match self.status {
            AccountStatus::Opened => "account.opened.v1",
            AccountStatus::Rejected => "account.rejected.v1",
            AccountStatus::Duplicate => "account.duplicate.v1",
            AccountStatus::Frozen => "account.frozen.v1",
            AccountStatus::Unfrozen => "account.unfrozen.v1",
            AccountStatus::Closed => "account.closed.v1",
            AccountStatus::Limited => "account.limited.v1",
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
