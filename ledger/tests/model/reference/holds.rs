//! Holds: authorised, captured, voided, and ended by time.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::payments::{Outcome, above_zero, decimals, text, value_date};
use super::reversals::Booked;
use super::{Asked, Expected, Hold, Minor, Reference, Refused, Side};

impl Reference {
    /// A hold that is due counts as ended, announced or not.
    pub(super) fn end_due_holds(&mut self, now: DateTime<Utc>) {
        for hold in self.holds.values_mut() {
            if hold.status == "authorised" && hold.ends.is_some_and(|ends| ends <= now) {
                hold.status = "expired";
            }
        }
    }

    pub(super) fn hold(&mut self, asked: &Asked<'_>) -> Outcome {
        let currency = asked.text("currency").unwrap_or_default().to_owned();
        decimals(&currency).ok_or("AM03")?;
        let amount = above_zero(asked.text("amount").unwrap_or_default(), &currency)?;
        value_date(asked)?;
        let [debtor, creditor] =
            ["debtor_account", "creditor_account"].map(|field| asked.account(field));
        if debtor == creditor {
            return Err("NARR");
        }
        let ends = asked
            .text("expires_at")
            .map(|text| ends(text, asked.at))
            .transpose()?;
        let parties = self.parties(debtor, creditor)?;
        Self::may_pay(asked, parties)?;
        Self::may_debit(asked, debtor)?;
        Self::within_maximum(asked, amount, &currency)?;
        parties[0].takes_part(Side::Debit, &currency)?;
        parties[1].takes_part(Side::Credit, &currency)?;
        if parties[0].grows_by() == Side::Debit {
            return Err("NARR");
        }
        self.can_spare(debtor, amount)?;
        self.accounts[&debtor].may_leave(asked, amount)?;
        self.account(debtor).leaves(asked, amount);
        let key = (
            asked.claims.client_id.clone(),
            asked.text("payment_id").unwrap_or_default().to_owned(),
        );
        self.holds.insert(
            key,
            Hold {
                debtor,
                creditor,
                remaining: amount,
                status: "authorised",
                ends,
                is_announced: false,
            },
        );
        let answer = Expected {
            amount: Some(text(amount, &currency)),
            remaining: Some(text(amount, &currency)),
            ..Expected::status("authorised")
        };
        Ok((answer, None))
    }

    pub(super) fn capture(&mut self, asked: &Asked<'_>) -> Outcome {
        let key = (
            asked.claims.client_id.clone(),
            asked.text("hold_id").unwrap_or_default().to_owned(),
        );
        let hold = self.holds.get(&key).ok_or("NOOR")?.clone();
        let currency = self.accounts[&hold.debtor].currency.clone();
        let amount = match asked.text("amount") {
            None => hold.remaining,
            Some(text) => above_zero(text, &currency)?,
        };
        let parties = self.parties(hold.debtor, hold.creditor)?;
        Self::may_pay(asked, parties)?;
        if hold.status != "authorised" {
            return Err("NARR");
        }
        Self::may_debit(asked, hold.debtor)?;
        Self::within_maximum(asked, amount, &currency)?;
        parties[0].takes_part(Side::Debit, &currency)?;
        parties[1].takes_part(Side::Credit, &currency)?;
        if amount > hold.remaining {
            return Err("AM02");
        }
        let remaining = hold.remaining - amount;
        let is_over = remaining == 0 || asked.body["final"] == true;
        let after = Hold {
            remaining,
            status: if is_over { "captured" } else { "authorised" },
            ..hold
        };
        // What was held is free before it is booked.
        self.holds.insert(key.clone(), after);
        let ids = [hold.debtor, hold.creditor];
        if let Err(refused) = self.both_can_take(ids, amount) {
            self.holds.insert(key, hold);
            return Err(refused);
        }
        let postings = self.post_both(asked, ids, amount, None);
        let still_held = if is_over { 0 } else { remaining };
        let answer = Expected {
            amount: Some(text(amount, &currency)),
            remaining: Some(text(still_held, &currency)),
            postings,
            ..Expected::status("captured")
        };
        let booked = Booked::Payment(hold.debtor, hold.creditor, amount);
        Ok((answer, Some(booked)))
    }

    fn both_can_take(&self, [debtor, creditor]: [Uuid; 2], amount: Minor) -> Result<(), Refused> {
        self.can_take(debtor, Side::Debit, amount)?;
        self.can_take(creditor, Side::Credit, amount)
    }

    pub(super) fn void(&mut self, asked: &Asked<'_>) -> Outcome {
        let key = asked.key("hold_id");
        if key.0 != asked.claims.client_id && !asked.is_bank() {
            return Err("AG01");
        }
        let hold = self.holds.get(&key).ok_or("NOOR")?.clone();
        let currency = self.accounts[&hold.debtor].currency.clone();
        Self::may_pay(asked, self.parties(hold.debtor, hold.creditor)?)?;
        Self::may_debit(asked, hold.debtor)?;
        if hold.status != "authorised" {
            return Err("NARR");
        }
        let freed = text(hold.remaining, &currency);
        self.holds.insert(
            key,
            Hold {
                status: "voided",
                ..hold
            },
        );
        let answer = Expected {
            amount: Some(freed),
            remaining: Some(text(0, &currency)),
            ..Expected::status("voided")
        };
        Ok((answer, None))
    }

    /// The ledger announces that a hold has ended.
    pub(super) fn announce(&mut self, body: &Value) -> Expected {
        let word = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let rejected = |reason| Expected {
            may_retry: true,
            ..Expected::rejected(reason)
        };
        let Some(hold) = self.holds.get_mut(&(word("client_id"), word("hold_id"))) else {
            return rejected("NOOR");
        };
        let status = match hold.status {
            "authorised" => return rejected("DT01"),
            "expired" if hold.is_announced => "duplicate",
            "expired" => "expired",
            _ => return rejected("NARR"),
        };
        hold.is_announced = true;
        let (remaining, debtor) = (hold.remaining, hold.debtor);
        let currency = &self.accounts[&debtor].currency;
        Expected {
            amount: Some(text(remaining, currency)),
            remaining: Some(text(0, currency)),
            ..Expected::status(status)
        }
    }
}

/// When a hold ends: behind now, within 31 days.
fn ends(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, Refused> {
    let ends: DateTime<Utc> = text.parse().map_err(|_| "DT01")?;
    // To the microsecond, as times in the log are.
    let ends = DateTime::from_timestamp_micros(ends.timestamp_micros()).ok_or("DT01")?;
    if now < ends && ends <= now + TimeDelta::days(31) {
        Ok(ends)
    } else {
        Err("DT01")
    }
}
