//! A payment: money moves from the debtor's account to the creditor's.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, PaymentId};
use crate::kinds::body::RequestBody;
use crate::kinds::client_request::ClientRequest;
use crate::kinds::metadata::METADATA_KEYS_MAX;
use crate::money::{Currency, Money};
use crate::reason::{Code, Reason};

pub use crate::kinds::settlement::{Original, PaymentAnswer, PaymentStatus};

/// Asks to move money from the debtor's account to the creditor's. Subject `request.payment.v1.<client_id>`.
///
/// Amount and currency are texts here and become [`crate::money::Money`] where the request is decided, so that each
/// mistake gets its own reason code instead of "malformed".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "payment.requested.v1", example = example())]
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

impl RequestBody for PaymentRequest {}

impl ClientRequest for PaymentRequest {
    const REQUESTED: &'static str = "payment.requested.v1";
    const SUBJECT_PREFIX: &'static str = "request.payment.v1.";

    fn id(&self) -> PaymentId {
        self.payment_id
    }

    fn describe(&self, answer: &mut PaymentAnswer) {
        answer.debtor_account = Some(self.debtor_account);
        answer.creditor_account = Some(self.creditor_account);
        answer.amount = Some(self.amount.clone());
        answer.currency = Some(self.currency.clone());
        answer.reference.clone_from(&self.reference);
        answer.effective_date = Some(self.effective_date.clone());
        answer.metadata = Some(self.metadata.clone());
    }

    fn has_metadata(&self) -> bool {
        !self.metadata.is_empty()
    }

    fn canonical(mut self) -> Self {
        if let Ok(money) = self.money() {
            self.amount = money.to_string();
        }
        self
    }
}

/// Ada pays Grace, on a bank with the accounts of the demonstration.
fn example() -> serde_json::Value {
    serde_json::json!({
        "payment_id": "019a5c3e-7b1a-7c3f-9d43-5b7d3c1f2a10",
        "debtor_account": "01900000-ada0-7000-8000-000000000002",
        "creditor_account": "01900000-96ac-7000-8000-000000000003",
        "amount": "12.50",
        "currency": "EUR",
        "reference": "Lunch",
    })
}

/// Longest `reference`, in characters. Source: ISO 20022 `Max140Text`.
pub const REFERENCE_CHARS_MAX: usize = 140;

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
        if let Some(mistake) = notes_mistake(self.reference.as_deref(), &self.metadata) {
            return Err(mistake);
        }
        let money = self.money()?;
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

    fn money(&self) -> Result<Money, Reason> {
        let currency = Currency::from_code(&self.currency).ok_or_else(|| {
            Reason::new(
                Code::AM03,
                "the currency is no ISO 4217 code of money, such as EUR",
            )
        })?;
        Money::positive(&self.amount, currency)
            .map_err(|error| Reason::new(Code::AM12, error.to_string()))
    }

    /// The request in one spelling: equal for two requests exactly if they ask for the same thing.
    ///
    /// Order of fields and white space don't count, and `30`, `30.0` and `30.00` EUR are the same amount. `terms` are
    /// this request's, if they are valid.
    #[must_use]
    pub fn canonical_json(&self, terms: Option<&Terms>) -> Vec<u8> {
        let money = terms.map(|terms| terms.money).or_else(|| self.money().ok());
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

/// What is wrong with the texts that a request carries along.
pub fn notes_mistake(
    reference: Option<&str>,
    metadata: &BTreeMap<String, String>,
) -> Option<Reason> {
    if reference.is_some_and(|text| text.chars().count() > REFERENCE_CHARS_MAX) {
        let message = format!("the reference has more than {REFERENCE_CHARS_MAX} characters");
        return Some(Reason::new(Code::FF01, message));
    }
    if metadata.len() > METADATA_KEYS_MAX {
        let message = format!("metadata has more than {METADATA_KEYS_MAX} keys");
        return Some(Reason::new(Code::FF01, message));
    }
    None
}

/// The value date that a text names.
pub(super) fn value_date(text: &str, published_at: DateTime<Utc>) -> Result<NaiveDate, Reason> {
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
        assert_eq!(
            read("30").canonical_json(None),
            read("30.00").canonical_json(None)
        );
        assert_ne!(
            read("30").canonical_json(None),
            read("30.01").canonical_json(None)
        );
    }
}
