//! A payment for people: what its request led to, and where it stands now.

use anyhow::{Context as _, Result};
use common::kinds::payment::{PaymentAnswer, PaymentStatus};
use common::money::{Currency, Money};
use serde::Deserialize as _;
use serde_json::Value;

use crate::sending::{capital, settled_text};

/// The payment, and where it stands now, which its own answer can't tell.
pub(super) fn shown(payment: &Value, follow_ups: &[Value]) -> Result<String> {
    let text = |name: &str| payment[name].as_str().unwrap_or_default();
    let kind = text("kind");
    if payment["status"] == "pending" {
        return Ok(format!(
            "{} {} is not decided yet: request {}.",
            capital(kind),
            text("payment_id"),
            payment["request_seq"]
        ));
    }
    let mut settlement =
        PaymentAnswer::deserialize(payment).context("payments answered in an unknown form")?;
    settlement.status = answered(kind, settlement.status);
    let mut told = settled_text(kind, &settlement);
    if let Some(stands) = stands(payment, follow_ups) {
        told.insert_str(told.find("\n\n").unwrap_or(told.len()), &stands);
    }
    Ok(told)
}

/// What its own request led to, before what followed.
fn answered(kind: &str, status: PaymentStatus) -> PaymentStatus {
    match (kind, status) {
        ("payment" | "transaction", PaymentStatus::Reversed) => PaymentStatus::Settled,
        ("capture", PaymentStatus::Reversed) => PaymentStatus::Captured,
        ("hold", PaymentStatus::Captured | PaymentStatus::Voided | PaymentStatus::Expired) => {
            PaymentStatus::Authorised
        }
        (_, status) => status,
    }
}

/// What is held or was captured, what can still be reversed, and what it belongs to: each on a line of its own.
fn stands(payment: &Value, follow_ups: &[Value]) -> Option<String> {
    let text = |name: &str| payment[name].as_str();
    let stands = (text("kind")?, text("status")?);
    match stands {
        ("payment" | "transaction", "reversed") => {
            return Some("\nAll of it was booked back.".to_owned());
        }
        ("reversal", "reversed") => {
            let of = payment["reverses"]["payment_id"].as_str()?;
            return Some(format!("\nOf {of}."));
        }
        _ => {}
    }
    let (amount, currency) = (text("amount")?, text("currency")?);
    let remaining = text("remaining").unwrap_or(amount);
    let hold = || text("hold_id").map(|id| format!("\nOf hold {id}."));
    match stands {
        ("hold", "authorised") => {
            let end = text("expires_at").map_or_else(
                || "until it is captured or voided".to_owned(),
                |end| format!("until {end}"),
            );
            let captured = captured(follow_ups, currency)?;
            Some(format!(
                "\n{captured} of {amount} {currency} was captured.\n{remaining} {currency} is still held, {end}."
            ))
        }
        ("hold", "captured" | "voided" | "expired") => {
            let captured = captured(follow_ups, currency)?;
            Some(format!(
                "\n{captured} of {amount} {currency} was captured.\nNothing is held any more: it is {}.",
                stands.1
            ))
        }
        ("capture", "captured") => Some(format!(
            "{}\n{remaining} of {amount} {currency} can still be reversed.",
            hold()?
        )),
        ("payment", "settled") if payment["remaining"].is_string() => Some(format!(
            "\n{remaining} of {amount} {currency} can still be reversed."
        )),
        ("capture", "reversed") => Some(format!("{}\nAll of it was booked back.", hold()?)),
        ("void", "voided") => Some(format!("{}\n{amount} {currency} is free again.", hold()?)),
        _ => None,
    }
}

/// The sum of the captures.
fn captured(follow_ups: &[Value], currency: &str) -> Option<Money> {
    let currency = Currency::from_code(currency)?;
    let mut captures = follow_ups.iter().filter(|one| one["kind"] == "capture");
    captures.try_fold(Money::zero(currency), |sum, one| {
        let amount = Money::positive(one["amount"].as_str()?, currency).ok()?;
        sum.checked_add(amount)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without the ids.
    fn told(kind: &str, status: &str) -> String {
        let payment = serde_json::json!({
            "request_seq": 9, "payment_id": "0198c0de-0000-7000-8000-000000000001", "client_id": "ada", "kind": kind,
            "status": status, "reason": null, "debtor_account": null, "creditor_account": null, "amount": "30.00",
            "currency": "EUR", "reference": null, "postings": [], "original": null, "may_retry": false,
            "published_at": "2026-11-23T00:00:00Z",
            "hold_id": "0198c0de-0000-7000-8000-000000000002",
        });
        let text = shown(&payment, &[]).expect("a payment");
        let lines = text.replace(" 0198c0de-0000-7000-8000-000000000001", "");
        lines.replace(" 0198c0de-0000-7000-8000-000000000002", "")
    }

    #[test]
    fn what_followed_is_told_behind_what_its_own_request_led_to() {
        let back = "All of it was booked back.";
        let nothing = "0.00 of 30.00 EUR was captured.\nNothing is held any more: it is";
        for (kind, status, first, then) in [
            ("payment", "settled", "Payment is settled", ""),
            ("payment", "rejected", "Payment is rejected", ""),
            ("payment", "reversed", "Payment is settled", back),
            ("transaction", "reversed", "Transaction is settled", back),
            (
                "hold",
                "voided",
                "Hold is authorised",
                &format!("{nothing} voided."),
            ),
            (
                "hold",
                "expired",
                "Hold is authorised",
                &format!("{nothing} expired."),
            ),
            (
                "capture",
                "reversed",
                "Capture is captured",
                &format!("Of hold.\n{back}"),
            ),
        ] {
            let rest = if then.is_empty() {
                String::new()
            } else {
                format!("\n{then}")
            };
            assert_eq!(told(kind, status), format!("{first}, as request 9.{rest}"));
        }
    }
}
