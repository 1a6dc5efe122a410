//! The bodies that may stand in REQUESTS. Unknown fields are refused: what the ledger does not understand it must not half-do.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::answer::{Code, Reason};
use crate::ids::{AccountId, PaymentId};
use crate::money::{Currency, Money};

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

/// A payment request whose every field is what it should be. Whether the books allow it is the ledger's to decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Amount and currency.
    pub money: Money,
    /// The value date, if it is not the day of publication.
    pub effective_date: Option<NaiveDate>,
}

impl PaymentRequest {
    /// Checks all that can be checked without the books. The HTTP edge calls it to answer at once, the ledger to decide.
    ///
    /// # Errors
    /// The first that applies of FF01 (a text is too long), AM03 (no such currency), AM12 (no such amount), DT01 (no such
    /// day, or one after the day of `published_at`), NARR (both accounts are the same).
    pub fn terms(&self, published_at: DateTime<Utc>) -> Result<Terms, Reason> {
        if self
            .reference
            .as_ref()
            .is_some_and(|text| text.chars().count() > REFERENCE_CHARS_MAX)
        {
            return Err(Reason::new(
                Code::FF01,
                format!("the reference has more than {REFERENCE_CHARS_MAX} characters"),
            ));
        }
        if self.metadata.len() > METADATA_KEYS_MAX {
            return Err(Reason::new(
                Code::FF01,
                format!("metadata has more than {METADATA_KEYS_MAX} keys"),
            ));
        }
        let currency = Currency::from_code(&self.currency).ok_or_else(|| {
            Reason::new(
                Code::AM03,
                "the currency is no ISO 4217 code of money, such as EUR",
            )
        })?;
        let money = Money::positive(&self.amount, currency)
            .map_err(|error| Reason::new(Code::AM12, error.to_string()))?;
        let effective_date = self
            .effective_date
            .as_deref()
            .map(|text| value_date(text, published_at))
            .transpose()?;
        if self.debtor_account == self.creditor_account {
            return Err(Reason::new(
                Code::NARR,
                "debtor_account and creditor_account are the same account",
            ));
        }
        Ok(Terms {
            money,
            effective_date,
        })
    }

    /// The request in one spelling: equal for two requests exactly if they ask for the same thing.
    ///
    /// Order of fields and white space don't count, and `30`, `30.0` and `30.00` EUR are the same amount.
    #[must_use]
    pub fn canonical_json(&self) -> Vec<u8> {
        let money = Currency::from_code(&self.currency)
            .and_then(|currency| Money::positive(&self.amount, currency).ok());
        let json = match money.map(|money| money.to_string()) {
            Some(amount) if amount != self.amount => serde_json::to_vec(&Self {
                amount,
                ..self.clone()
            }),
            _ => serde_json::to_vec(self),
        };
        json.expect("texts and ids are JSON")
    }
}

fn value_date(text: &str, published_at: DateTime<Utc>) -> Result<NaiveDate, Reason> {
    // Stricter than chrono, which reads `+2026-11-1` too, and independent of what it will read one day.
    let is_iso = text.len() == 10
        && text.bytes().enumerate().all(|(index, byte)| match index {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    let date = is_iso
        .then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok())
        .flatten();
    let date =
        date.ok_or_else(|| Reason::new(Code::DT01, "effective_date is no day such as 2026-11-23"))?;
    if date > published_at.date_naive() {
        return Err(Reason::new(
            Code::DT01,
            "effective_date is in the future; payments can't be scheduled",
        ));
    }
    Ok(date)
}

/// Reads a body. Everybody who reads one does it here, so that all agree on what a readable request is.
///
/// # Errors
/// When it is no JSON object with exactly the fields of `T`.
pub fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, serde_json::Error> {
    // serde would take the fields of a struct from an array as well.
    if body
        .trim_ascii_start()
        .first()
        .is_none_or(|first| *first == b'{')
    {
        return serde_json::from_slice(body);
    }
    serde_json::from_slice::<serde_json::Value>(body)?;
    Err(serde::de::Error::custom("expected a JSON object"))
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: &str, expected: Option<Code>) {
        let mut json = serde_json::json!({
            "payment_id": "0198c0de-0000-7000-8000-000000000001",
            "debtor_account": "0198c0de-0000-7000-8000-00000000000a",
            "creditor_account": "0198c0de-0000-7000-8000-00000000000b",
            "amount": "30.00", "currency": "EUR",
        });
        let change: serde_json::Value = serde_json::from_str(change).expect("the table holds JSON");
        for (name, value) in change.as_object().expect("the table holds objects") {
            json[name] = value.clone();
        }
        let request: PaymentRequest = serde_json::from_value(json).expect("well-formed");
        let published_at = "2026-11-23T23:59:59Z".parse().expect("a time");
        assert_eq!(
            request.terms(published_at).err().map(|reason| reason.code),
            expected,
            "{change}"
        );
    }

    #[test]
    fn each_mistake_has_its_code() {
        check("{}", None);
        check(r#"{"amount":"30.001"}"#, Some(Code::AM12));
        check(r#"{"amount":"0"}"#, Some(Code::AM12));
        check(r#"{"amount":"-1"}"#, Some(Code::AM12));
        check(r#"{"currency":"EURO"}"#, Some(Code::AM03));
        check(r#"{"currency":"XXZ","amount":"x"}"#, Some(Code::AM03));
        check(r#"{"effective_date":"2026-11-23"}"#, None);
        check(r#"{"effective_date":"2026-11-24"}"#, Some(Code::DT01));
        check(r#"{"effective_date":"2026-02-30"}"#, Some(Code::DT01));
        check(r#"{"effective_date":"2026-1-2"}"#, Some(Code::DT01));
        check(r#"{"effective_date":"+2026-11-1"}"#, Some(Code::DT01));
        check(r#"{"effective_date":" 2026-11-1"}"#, Some(Code::DT01));
        check(
            r#"{"creditor_account":"0198c0de-0000-7000-8000-00000000000a"}"#,
            Some(Code::NARR),
        );
        check(&format!(r#"{{"reference":"{}"}}"#, "ä".repeat(140)), None);
        check(
            &format!(r#"{{"reference":"{}"}}"#, "ä".repeat(141)),
            Some(Code::FF01),
        );
    }

    #[test]
    fn spelling_is_not_content() {
        let read = |amount: &str| -> PaymentRequest {
            let text = format!(
                r#"{{"amount":"{amount}","currency":"EUR","payment_id":"0198c0de-0000-7000-8000-000000000001",
                "debtor_account":"0198c0de-0000-7000-8000-00000000000a","metadata":{{"b":"1","a":"2"}},
                "creditor_account":"0198c0de-0000-7000-8000-00000000000b"}}"#
            );
            serde_json::from_str(&text).expect("well-formed")
        };
        assert_eq!(read("30").canonical_json(), read("30.00").canonical_json());
        assert_ne!(read("30").canonical_json(), read("30.01").canonical_json());
    }
}
