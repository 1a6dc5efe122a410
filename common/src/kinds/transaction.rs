//! A transaction of several postings: fees, splits, exchanges. All of it is booked, or nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, PaymentId};
use crate::kinds::body::RequestBody;
use crate::kinds::client_request::ClientRequest;
use crate::kinds::hold::plain_amount;
use crate::kinds::payment::{notes_mistake, value_date};
use crate::kinds::posting::Direction;
use crate::kinds::settlement::{PaymentAnswer, Rate};
use crate::money::{Currency, Money};
use crate::reason::{Code, Reason};

/// Fewest postings: one would come from nowhere.
pub const POSTINGS_MIN: usize = 2;
/// Most postings: more than any fee schedule splits into, few enough for one answer.
pub const POSTINGS_MAX: usize = 100;
/// Most rates: one for each pair of currencies that a transaction can hold is far fewer.
pub const RATES_MAX: usize = 20;

/// Asks to book several postings at once. Subject `request.transaction.v1.<client_id>`.
///
/// In each currency, debits and credits are equal. A rate is recorded and not applied: the amounts are what counts, and a
/// difference from rounding is a posting on an account of the bank's choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "transaction.requested.v1", example = example())]
pub struct TransactionRequest {
    /// Chosen by the producer, once per transaction, as a payment's.
    pub payment_id: PaymentId,
    /// 2 to 100.
    #[schemars(length(min = 2, max = 100))]
    pub postings: Vec<NewPosting>,
    /// By which rates currencies were exchanged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub rates: Vec<Rate>,
    /// Free text for all parties' statements.
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

/// One posting of a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPosting {
    /// On which account.
    pub account: AccountId,
    /// On which side.
    pub direction: Direction,
    /// Above zero.
    #[schemars(regex(pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$"))]
    pub amount: String,
    /// ISO 4217 code, the account's.
    #[schemars(regex(pattern = "^[A-Z]{3}$"))]
    pub currency: String,
}

impl RequestBody for TransactionRequest {}

impl ClientRequest for TransactionRequest {
    const REQUESTED: &'static str = "transaction.requested.v1";
    const SUBJECT_PREFIX: &'static str = "request.transaction.v1.";

    fn id(&self) -> PaymentId {
        self.payment_id
    }

    fn describe(&self, answer: &mut PaymentAnswer) {
        answer.reference.clone_from(&self.reference);
        answer.effective_date = Some(self.effective_date.clone());
        answer.metadata = Some(self.metadata.clone());
        answer.rates.clone_from(&self.rates);
    }

    fn has_metadata(&self) -> bool {
        !self.metadata.is_empty()
    }

    fn canonical(mut self) -> Self {
        for posting in &mut self.postings {
            posting.amount = plain_amount(&posting.amount);
        }
        for rate in &mut self.rates {
            rate.rate = plain_amount(&rate.rate);
        }
        self
    }
}

/// Ada pays Grace and the bank's fee, on a bank with the accounts of the demonstration.
fn example() -> serde_json::Value {
    serde_json::json!({
        "payment_id": "019a5c3e-7b1a-7c3f-9d43-5b7d3c1f2a14",
        "postings": [
            {"account": "01900000-ada0-7000-8000-000000000002", "direction": "debit", "amount": "12.50", "currency": "EUR"},
            {"account": "01900000-96ac-7000-8000-000000000003", "direction": "credit", "amount": "12.50", "currency": "EUR"},
        ],
        "reference": "Lunch",
    })
}

/// A transaction whose every field is what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionTerms {
    /// The postings, in order.
    pub legs: Vec<Leg>,
    /// The value date, if it is not the day of publication.
    pub effective_date: Option<NaiveDate>,
}

/// One posting of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leg {
    /// On which account.
    pub account: AccountId,
    /// On which side.
    pub direction: Direction,
    /// How much.
    pub money: Money,
}

impl TransactionRequest {
    /// Checks all that can be checked without the books.
    ///
    /// # Errors
    /// The first that applies of FF01 (too few, too many, too long), AM03 (no such currency), AM12 (no such amount or
    /// rate), DT01 (no such day, or one in the future), NARR (the postings of a currency do not sum to zero).
    pub fn terms(&self, published_at: DateTime<Utc>) -> Result<TransactionTerms, Reason> {
        let count = self.postings.len();
        if !(POSTINGS_MIN..=POSTINGS_MAX).contains(&count) || self.rates.len() > RATES_MAX {
            return Err(Reason::new(
                Code::FF01,
                format!(
                    "a transaction has {POSTINGS_MIN} to {POSTINGS_MAX} postings and {RATES_MAX} rates at most"
                ),
            ));
        }
        if let Some(mistake) = notes_mistake(self.reference.as_deref(), &self.metadata) {
            return Err(mistake);
        }
        let legs: Result<Vec<Leg>, Reason> = self.postings.iter().map(leg).collect();
        let legs = legs?;
        for rate in &self.rates {
            read_rate(rate)?;
        }
        let effective_date = self.effective_date.as_deref();
        let effective_date = effective_date.map(|text| value_date(text, published_at));
        let effective_date = effective_date.transpose()?;
        if let Some(unbalanced) = unbalanced(&legs) {
            return Err(unbalanced);
        }
        Ok(TransactionTerms {
            legs,
            effective_date,
        })
    }
}

fn currency(code: &str) -> Result<Currency, Reason> {
    let no_currency = "the currency is no ISO 4217 code of money, such as EUR";
    Currency::from_code(code).ok_or_else(|| Reason::new(Code::AM03, no_currency))
}

fn leg(posting: &NewPosting) -> Result<Leg, Reason> {
    let money = Money::positive(&posting.amount, currency(&posting.currency)?);
    Ok(Leg {
        account: posting.account,
        direction: posting.direction,
        money: money.map_err(|error| Reason::new(Code::AM12, error.to_string()))?,
    })
}

/// At most nine digits on each side of the point, so that nobody's decimals differ.
fn read_rate(rate: &Rate) -> Result<(), Reason> {
    currency(&rate.from)?;
    currency(&rate.to)?;
    let (whole, decimals) = rate.rate.split_once('.').unwrap_or((&rate.rate, "0"));
    let is_digits = |text: &str| {
        (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let is_zero = rate.rate.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    if is_digits(whole) && is_digits(decimals) && !is_zero {
        return Ok(());
    }
    let message =
        "a rate is a decimal above zero with at most nine digits on each side of the point";
    Err(Reason::new(Code::AM12, message))
}

/// Why the postings do not sum to zero, in the first currency where they do not.
fn unbalanced(legs: &[Leg]) -> Option<Reason> {
    let mut sums = BTreeMap::<&str, Decimal>::new();
    for leg in legs {
        let amount = leg.money.amount();
        let sum = sums.entry(leg.money.currency().code()).or_default();
        // A hundred amounts of 15 digits: no decimal overflows.
        *sum += match leg.direction {
            Direction::Debit => amount,
            Direction::Credit => -amount,
        };
    }
    let (currency, sum) = sums.into_iter().find(|(_, sum)| !sum.is_zero())?;
    let (more, less) = if sum.is_sign_positive() {
        ("debits", "credits")
    } else {
        ("credits", "debits")
    };
    let difference = sum.abs();
    Some(Reason::new(
        Code::NARR,
        format!("the {currency} {more} are {difference} more than the {less}"),
    ))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    /// `debit 10 EUR, credit 10 EUR` and what comes of it.
    fn check(postings: &str, rates: &[&str], expected: Option<Code>) {
        let account = AccountId(Uuid::nil());
        let postings = postings.split(", ").map(|text| {
            let words: Vec<&str> = text.split(' ').collect();
            NewPosting {
                account,
                direction: if words[0] == "debit" {
                    Direction::Debit
                } else {
                    Direction::Credit
                },
                amount: words[1].to_owned(),
                currency: words[2].to_owned(),
            }
        });
        let request = TransactionRequest {
            payment_id: PaymentId(Uuid::nil()),
            postings: postings.collect(),
            rates: rates
                .iter()
                .map(|rate| Rate {
                    from: "EUR".to_owned(),
                    to: "USD".to_owned(),
                    rate: (*rate).to_owned(),
                })
                .collect(),
            reference: None,
            effective_date: None,
            metadata: BTreeMap::new(),
        };
        let code = request
            .terms(DateTime::UNIX_EPOCH)
            .err()
            .map(|reason| reason.code);
        assert_eq!(code, expected, "{:?} {rates:?}", request.postings);
    }

    #[test]
    fn each_currency_sums_to_zero() {
        check("debit 10 EUR, credit 10.00 EUR", &[], None);
        check(
            "debit 10 EUR, credit 9.50 EUR, credit 0.50 EUR",
            &["1.1"],
            None,
        );
        check(
            "debit 10 EUR, credit 10 EUR, debit 11 USD, credit 11 USD",
            &["1.1"],
            None,
        );
        check("debit 10 EUR, credit 10 USD", &[], Some(Code::NARR));
        check("debit 10 EUR, credit 9.99 EUR", &[], Some(Code::NARR));
        check("debit 10 EUR", &[], Some(Code::FF01));
        check("debit 0 EUR, credit 0 EUR", &[], Some(Code::AM12));
        check("debit 1.001 EUR, credit 1.001 EUR", &[], Some(Code::AM12));
        check("debit 1 XYZ, credit 1 XYZ", &[], Some(Code::AM03));
        let many = ["debit 1 EUR, credit 1 EUR"; 50].join(", ");
        check(&many, &[], None);
        check(
            &format!("{many}, debit 1 EUR, credit 1 EUR"),
            &[],
            Some(Code::FF01),
        );
    }

    #[test]
    fn a_rate_is_a_decimal_above_zero() {
        let even = "debit 1 EUR, credit 1 EUR";
        for rate in ["1", "0.000000001", "123456789.123456789"] {
            check(even, &[rate], None);
        }
        for rate in [
            "",
            "0",
            "0.0",
            "-1",
            "1e3",
            "1.",
            ".1",
            "1234567890",
            "1.1234567891",
            "x",
        ] {
            check(even, &[rate], Some(Code::AM12));
        }
        check(even, &["1"; 21], Some(Code::FF01));
    }
}
