//! A payment: money moves from the debtor's account to the creditor's.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::ids::{AccountId, ClientId, PaymentId};
use crate::kinds::body::{AnswerBody, ClientRequest, RequestBody};
use crate::kinds::metadata::METADATA_KEYS_MAX;
use crate::kinds::posting::Posting;
use crate::kinds::reversal::Reverses;
use crate::money::{Currency, Money};
use crate::reason::{Code, Reason};
use crate::timestamp;

/// The `ce-source` of a client's requests.
#[must_use]
pub fn source(client: &ClientId) -> String {
    format!("/clients/{client}")
}

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

/// What became of a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(
    title = "payment.settled.v1, payment.rejected.v1, payment.duplicate.v1, payment.authorised.v1, payment.captured.v1, payment.voided.v1, payment.reversed.v1, payment.expired.v1"
)]
pub struct PaymentAnswer {
    /// Sequence of the request in REQUESTS and of this answer in SETTLEMENTS.
    pub request_seq: u64,
    /// `null` when the request was too malformed to read it.
    pub payment_id: Option<PaymentId>,
    /// Whose payment it is; from the subject, which the broker guards.
    pub client_id: ClientId,
    /// The outcome.
    pub status: PaymentStatus,
    /// Why it was rejected; `null` otherwise.
    pub reason: Option<Reason>,
    /// The account that was to pay.
    pub debtor_account: Option<AccountId>,
    /// The account that was to be paid.
    pub creditor_account: Option<AccountId>,
    /// With all decimals of its currency; as it was sent when it is no amount.
    pub amount: Option<String>,
    /// As it was sent.
    pub currency: Option<String>,
    /// As it was sent.
    pub reference: Option<String>,
    /// The value date: of a settled payment the day it counts from, otherwise as it was sent. Absent by rules 1.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(extend("format" = "date"))]
    pub effective_date: Option<Option<String>>,
    /// As it was sent. Absent by rules 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
    /// The hold that a capture or void is about; absent from other answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_id: Option<PaymentId>,
    /// Whose hold that is, if it is another client's; absent from other answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_client_id: Option<ClientId>,
    /// When a hold ends by itself; absent where there is no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: Option<String>,
    /// What is still held after an authorisation or capture, or can still be reversed after a reversal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<String>,
    /// What a reversal is about; absent from other answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverses: Option<Reverses>,
    /// What was booked: empty when nothing was.
    pub postings: Vec<Posting>,
    /// For a duplicate and for AM05: the outcome of the first request with this payment id.
    pub original: Option<Original>,
    /// Nothing was decided about the payment itself (no valid token, headers that contradict the body): the same
    /// `payment_id` is free and may be sent again. Otherwise it is used up.
    pub may_retry: bool,
    /// The broker's timestamp of the request, the time at which it was judged.
    #[serde(with = "timestamp")]
    #[schemars(with = "DateTime<Utc>")]
    pub published_at: DateTime<Utc>,
}

impl PaymentAnswer {
    /// An answer that says nothing yet: what a request says is filled in over it.
    #[must_use]
    pub fn nothing(client_id: ClientId) -> Self {
        Self {
            request_seq: 0,
            payment_id: None,
            client_id,
            status: PaymentStatus::Rejected,
            reason: None,
            debtor_account: None,
            creditor_account: None,
            amount: None,
            currency: None,
            reference: None,
            effective_date: Some(None),
            metadata: Some(BTreeMap::new()),
            hold_id: None,
            hold_client_id: None,
            expires_at: None,
            remaining: None,
            reverses: None,
            postings: Vec::new(),
            original: None,
            may_retry: false,
            published_at: DateTime::UNIX_EPOCH,
        }
    }

    /// Whose hold a capture or void is about.
    #[must_use]
    pub fn hold_client(&self) -> &ClientId {
        self.hold_client_id.as_ref().unwrap_or(&self.client_id)
    }
}

/// The outcome of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    /// Booked.
    Settled,
    /// Not booked, `reason` says why.
    Rejected,
    /// Asked before with the same content; nothing was booked now.
    Duplicate,
    /// Held, not booked.
    Authorised,
    /// A hold, or a part of it, is booked.
    Captured,
    /// What was held is free again.
    Voided,
    /// Booked back.
    Reversed,
    /// A hold has ended by time.
    Expired,
}

/// The outcome that a duplicate repeats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Original {
    /// The sequence that answered it.
    pub request_seq: u64,
    /// Its outcome.
    pub status: PaymentStatus,
    /// Why, if it was rejected.
    pub reason: Option<Code>,
}

impl PaymentStatus {
    /// Every status.
    pub const ALL: [Self; 8] = [
        Self::Settled,
        Self::Rejected,
        Self::Duplicate,
        Self::Authorised,
        Self::Captured,
        Self::Voided,
        Self::Reversed,
        Self::Expired,
    ];

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Rejected => "rejected",
            Self::Duplicate => "duplicate",
            Self::Authorised => "authorised",
            Self::Captured => "captured",
            Self::Voided => "voided",
            Self::Reversed => "reversed",
            Self::Expired => "expired",
        }
    }

    /// The `ce-type` of an answer with it.
    #[must_use]
    pub fn ce_type(self) -> &'static str {
        match self {
            Self::Settled => "payment.settled.v1",
            Self::Rejected => "payment.rejected.v1",
            Self::Duplicate => "payment.duplicate.v1",
            Self::Authorised => "payment.authorised.v1",
            Self::Captured => "payment.captured.v1",
            Self::Voided => "payment.voided.v1",
            Self::Reversed => "payment.reversed.v1",
            Self::Expired => "payment.expired.v1",
        }
    }

    /// The status that an answer of this `ce-type` has.
    #[must_use]
    pub fn of_type(ce_type: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|status| status.ce_type() == ce_type)
    }
}

/// A field that is there, though its value may be `null`.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl AnswerBody for PaymentAnswer {
    fn ce_type(&self) -> &'static str {
        self.status.ce_type()
    }

    fn about(&self) -> Option<String> {
        self.payment_id.map(|id| id.to_string())
    }

    fn outcome(&self) -> (&'static str, Option<&Reason>) {
        (self.status.as_str(), self.reason.as_ref())
    }

    fn request_seq(&self) -> u64 {
        self.request_seq
    }
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
