//! A hold: money is reserved on the debtor's account, and captured, voided or freed by time.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, ClientId, PaymentId};
use crate::kinds::body::RequestBody;
use crate::kinds::client_request::ClientRequest;
use crate::kinds::payment::PaymentRequest;
use crate::kinds::settlement::PaymentAnswer;
use crate::reason::{Code, Reason};

/// Longest life of a hold. Source: DESIGN of the wire contract, the longest that card schemes allow.
pub const DAYS_MAX: i64 = 31;

/// Asks to reserve money on the debtor's account for the creditor's. Subject `request.hold.v1.<client_id>`.
///
/// The fields are a payment's. Nothing is booked before a capture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "hold.requested.v1")]
pub struct HoldRequest {
    /// Chosen by the producer, once per payment: it names the hold too.
    pub payment_id: PaymentId,
    /// The account on which the money is held.
    pub debtor_account: AccountId,
    /// The account that a capture pays.
    pub creditor_account: AccountId,
    /// The most that can be captured.
    #[schemars(regex(pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$"))]
    pub amount: String,
    /// ISO 4217 code, the same as both accounts'.
    #[schemars(regex(pattern = "^[A-Z]{3}$"))]
    pub currency: String,
    /// Free text for both parties' statements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 140))]
    pub reference: Option<String>,
    /// `YYYY-MM-DD`, not after the day (UTC) on which the request was published. The answer repeats it; a capture counts from
    /// the day on which it is booked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date"))]
    pub effective_date: Option<String>,
    /// The producer's own notes, carried along and never read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 20))]
    pub metadata: BTreeMap<String, String>,
    /// RFC 3339, at most 31 days away: what is not captured by then is free again. Never, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: Option<String>,
}

impl RequestBody for HoldRequest {}

impl ClientRequest for HoldRequest {
    const REQUESTED: &'static str = "hold.requested.v1";
    const SUBJECT_PREFIX: &'static str = "request.hold.v1.";

    fn id(&self) -> PaymentId {
        self.payment_id
    }

    fn describe(&self, answer: &mut PaymentAnswer) {
        self.payment().describe(answer);
        answer.expires_at.clone_from(&self.expires_at);
    }

    fn has_metadata(&self) -> bool {
        !self.metadata.is_empty()
    }

    fn canonical(mut self) -> Self {
        let payment = self.payment().canonical();
        self.amount = payment.amount;
        self
    }
}

impl HoldRequest {
    /// The payment that a capture of all of it would be.
    #[must_use]
    pub fn payment(&self) -> PaymentRequest {
        PaymentRequest {
            payment_id: self.payment_id,
            debtor_account: self.debtor_account,
            creditor_account: self.creditor_account,
            amount: self.amount.clone(),
            currency: self.currency.clone(),
            reference: self.reference.clone(),
            effective_date: self.effective_date.clone(),
            metadata: self.metadata.clone(),
        }
    }

    /// A hold instead of a payment.
    #[must_use]
    pub fn of(payment: PaymentRequest, expires_at: Option<String>) -> Self {
        Self {
            payment_id: payment.payment_id,
            debtor_account: payment.debtor_account,
            creditor_account: payment.creditor_account,
            amount: payment.amount,
            currency: payment.currency,
            reference: payment.reference,
            effective_date: payment.effective_date,
            metadata: payment.metadata,
            expires_at,
        }
    }

    /// When it ends by itself.
    ///
    /// # Errors
    /// DT01: it is no time, not after `published_at`, or more than [`DAYS_MAX`] days after it.
    pub fn expires_at(&self, published_at: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Reason> {
        let Some(text) = &self.expires_at else {
            return Ok(None);
        };
        let refused = |message: &str| Reason::new(Code::DT01, message);
        let time = rfc_3339(text)
            .ok_or_else(|| refused("expires_at is no time such as 2026-11-23T17:20:21Z"))?;
        if time <= published_at {
            return Err(refused("expires_at is not in the future"));
        }
        if time > published_at + TimeDelta::days(DAYS_MAX) {
            return Err(Reason::new(
                Code::DT01,
                format!("expires_at is more than {DAYS_MAX} days away"),
            ));
        }
        Ok(Some(time))
    }
}

/// A time to the microsecond, which is what PostgreSQL keeps. Stricter than chrono, which reads spaces and lower case.
fn rfc_3339(text: &str) -> Option<DateTime<Utc>> {
    let is_plain = |byte: u8| byte.is_ascii_digit() || b"-:.+TZ".contains(&byte);
    let time = text
        .bytes()
        .all(is_plain)
        .then(|| DateTime::parse_from_rfc3339(text).ok())??;
    DateTime::from_timestamp_micros(time.timestamp_micros())
}

/// Asks to book a hold, or a part of it. Subject `request.capture.v1.<client_id>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "capture.requested.v1")]
pub struct CaptureRequest {
    /// Its own id, as a payment's.
    pub payment_id: PaymentId,
    /// The `payment_id` of the hold.
    pub hold_id: PaymentId,
    /// At most what is still held; all of that when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$"))]
    pub amount: Option<String>,
    /// Whether what is left of the hold is freed. Otherwise it can still be captured.
    #[serde(default, rename = "final", skip_serializing_if = "std::ops::Not::not")]
    pub is_final: bool,
}

impl RequestBody for CaptureRequest {}

impl ClientRequest for CaptureRequest {
    const REQUESTED: &'static str = "capture.requested.v1";
    const SUBJECT_PREFIX: &'static str = "request.capture.v1.";

    fn id(&self) -> PaymentId {
        self.payment_id
    }

    fn describe(&self, answer: &mut PaymentAnswer) {
        answer.hold_id = Some(self.hold_id);
        answer.amount.clone_from(&self.amount);
    }

    fn canonical(mut self) -> Self {
        self.amount = self.amount.map(|amount| plain_amount(&amount));
        self
    }
}

/// Asks to free what is still held. Subject `request.void.v1.<client_id>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "void.requested.v1")]
pub struct VoidRequest {
    /// Its own id, as a payment's.
    pub payment_id: PaymentId,
    /// The `payment_id` of the hold.
    pub hold_id: PaymentId,
    /// Whose hold that is; the caller's when absent. Another's with `bank:operate` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
}

impl RequestBody for VoidRequest {}

impl ClientRequest for VoidRequest {
    const REQUESTED: &'static str = "void.requested.v1";
    const SUBJECT_PREFIX: &'static str = "request.void.v1.";

    fn id(&self) -> PaymentId {
        self.payment_id
    }

    fn describe(&self, answer: &mut PaymentAnswer) {
        answer.hold_id = Some(self.hold_id);
        answer.hold_client_id.clone_from(&self.client_id);
    }

    fn canonical(self) -> Self {
        self
    }
}

/// An amount whose currency is not known here, in one spelling: `30`, `30.0` and `030.00` are the same.
pub(super) fn plain_amount(text: &str) -> String {
    let is_plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if !is_plain || decimals.contains('.') || whole.is_empty() {
        return text.to_owned();
    }
    let (whole, decimals) = (
        whole.trim_start_matches('0'),
        decimals.trim_end_matches('0'),
    );
    let whole = if whole.is_empty() { "0" } else { whole };
    if decimals.is_empty() {
        whole.to_owned()
    } else {
        format!("{whole}.{decimals}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_without_its_currency_has_one_spelling() {
        for (text, plain) in [
            ("30", "30"),
            ("30.", "30"),
            ("30.00", "30"),
            ("030.50", "30.5"),
            ("0.05", "0.05"),
            ("00", "0"),
            (".5", ".5"),
            ("-1.0", "-1.0"),
            ("1.0.0", "1.0.0"),
            ("x", "x"),
        ] {
            assert_eq!(plain_amount(text), plain, "{text}");
        }
    }

    #[test]
    fn a_hold_ends_in_the_future_and_within_a_month() {
        let check = |expires_at: &str, expected: Result<&str, Code>| {
            let hold: HoldRequest = serde_json::from_value(serde_json::json!({
                "payment_id": uuid::Uuid::nil(), "debtor_account": uuid::Uuid::nil(), "creditor_account": uuid::Uuid::max(),
                "amount": "1", "currency": "EUR", "expires_at": expires_at,
            }))
            .expect("well-formed");
            let got = hold.expires_at("2026-11-23T12:00:00Z".parse().expect("a time"));
            let got = got.map(|time| crate::timestamp::text(&time.expect("there is one")));
            assert_eq!(
                got.map_err(|reason| reason.code),
                expected.map(str::to_owned),
                "{expires_at}"
            );
        };
        check(
            "2026-11-23T12:00:00.000001Z",
            Ok("2026-11-23T12:00:00.000001Z"),
        );
        check(
            "2026-11-23T14:00:00+01:00",
            Ok("2026-11-23T13:00:00.000000Z"),
        );
        check("2026-12-24T12:00:00Z", Ok("2026-12-24T12:00:00.000000Z"));
        check("2026-12-24T12:00:00.000001Z", Err(Code::DT01));
        check("2026-11-23T12:00:00Z", Err(Code::DT01));
        check("2026-11-23 13:00:00Z", Err(Code::DT01));
        check("tomorrow", Err(Code::DT01));
        check("", Err(Code::DT01));
    }
}
