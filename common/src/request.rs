//! The bodies that may stand in REQUESTS. Unknown fields are refused: what the ledger does not understand it must not half-do.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, PaymentId};

/// Asks to move money from the debtor's account to the creditor's. Subject `request.payment.v1.<client_id>`.
///
/// Amount and currency are texts here and become [`crate::money::Money`] where the request is decided, so that each
/// mistake gets its own reason code instead of "malformed".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "payment.requested.v1")]
pub struct PaymentRequest {
    /// Chosen by the producer, once per payment: a second request with the same id never pays twice.
    pub payment_id: PaymentId,
    /// The account that pays.
    pub debtor_account: AccountId,
    /// The account that is paid.
    pub creditor_account: AccountId,
    /// Above zero, at most 15 digits before the point and the currency's decimals after it.
    #[schemars(regex(pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$"))]
    pub amount: String,
    /// ISO 4217 code, the same as both accounts'.
    #[schemars(regex(pattern = "^[A-Z]{3}$"))]
    pub currency: String,
    /// Free text for both parties' statements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 140))]
    pub reference: Option<String>,
    /// `YYYY-MM-DD`, not after the day (UTC) on which the request was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date"))]
    pub effective_date: Option<String>,
    /// The producer's own notes, carried along and never read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 20))]
    pub metadata: BTreeMap<String, String>,
}

/// Longest `reference`, in characters. Source: ISO 20022 `Max140Text`.
pub const REFERENCE_CHARS_MAX: usize = 140;
/// Most keys in `metadata`. Source: DESIGN §3.
pub const METADATA_KEYS_MAX: usize = 20;
/// Largest body of a request, in bytes: the fields above at their limits take under 16 KiB.
pub const BODY_BYTES_MAX: usize = 32 * 1024;

/// Asks to change an account. Subject `request.account.v1.<client_id>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "action", rename_all = "snake_case")]
#[schemars(title = "account.requested.v1")]
pub enum AccountRequest {
    /// Opens an account with a balance of zero.
    Open(OpenAccount),
}

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

/// Announces the public half of a signing key. Subject `request.auth.v1.keys`; only auth may publish there.
///
/// It is sent under a token signed with a key that is already known; the very first key vouches for itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "key.requested.v1")]
pub struct AnnounceKey {
    /// The key's name in token headers: its RFC 7638 thumbprint.
    pub kid: String,
    /// The `iss` of every token that this key signs.
    pub issuer: String,
    /// RSA modulus, base64url without padding.
    pub n: String,
    /// RSA public exponent, base64url without padding.
    pub e: String,
}
