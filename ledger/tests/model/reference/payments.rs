//! Payments: money from one account to another.

use chrono::NaiveDate;
use serde_json::Value;
use uuid::Uuid;

use super::reversals::Booked;
use super::{Account, Asked, Expected, Minor, Reference, Refused, Side};

/// What a request leads to: the answer, and what can be reversed later.
pub(super) type Outcome = Result<(Expected, Option<Booked>), Refused>;

/// A posting of an answer: account, side, amount, and the balance after it where it is shown.
pub(crate) type Shown = (Uuid, String, String, Option<String>);

/// Decimals of the currencies that the mix uses.
pub(super) fn decimals(currency: &str) -> Option<u32> {
    match currency {
        "EUR" | "USD" => Some(2),
        "JPY" => Some(0),
        _ => None,
    }
}

/// An amount that is not negative.
pub(super) fn minor(text: &str, currency: &str) -> Option<Minor> {
    let decimals = usize::try_from(decimals(currency)?).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
    let is_long = whole.is_empty() || whole.len() > 15 || fraction.len() > decimals;
    if is_long || text.ends_with('.') || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    format!("{whole}{fraction:0<decimals$}").parse().ok()
}

/// An amount above zero.
pub(super) fn above_zero(text: &str, currency: &str) -> Result<Minor, Refused> {
    minor(text, currency)
        .filter(|amount| *amount > 0)
        .ok_or("AM12")
}

pub(crate) fn text(amount: Minor, currency: &str) -> String {
    let Some(decimals @ 1..) = decimals(currency) else {
        return amount.to_string();
    };
    let unit = Minor::pow(10, decimals);
    let sign = if amount < 0 { "-" } else { "" };
    let (whole, rest) = (amount.abs() / unit, amount.abs() % unit);
    format!(
        "{sign}{whole}.{rest:0width$}",
        width = usize::try_from(decimals).unwrap_or(0)
    )
}

/// What is asked for, in one spelling: `30` and `30.00` are the same amount. Of a payment or hold that is so only for what
/// is an amount of its currency.
pub(super) fn content(kind: &str, body: &Value) -> Value {
    let mut content = body.clone();
    content["kind"] = kind.into();
    let currency = body["currency"].as_str().unwrap_or_default();
    let mut respell = |amount: &str, spelling: &dyn Fn(&str) -> String| {
        if let Some(amount) = content.pointer_mut(amount)
            && let Some(text) = amount.as_str()
        {
            *amount = spelling(text).into();
        }
    };
    if matches!(kind, "payment" | "hold") {
        respell("/amount", &|amount| {
            let valid = above_zero(amount, currency);
            valid.map_or_else(|_| amount.to_owned(), |minor| text(minor, currency))
        });
        return content;
    }
    for place in [
        "/amount",
        "/postings/0/amount",
        "/postings/1/amount",
        "/postings/2/amount",
    ] {
        respell(place, &|amount| match amount.split_once('.') {
            Some(_) => amount
                .trim_end_matches('0')
                .trim_end_matches('.')
                .to_owned(),
            None => amount.to_owned(),
        });
    }
    content
}

/// The value date, if it is a day up to today.
pub(super) fn value_date(asked: &Asked<'_>) -> Result<Option<NaiveDate>, Refused> {
    let Some(text) = asked.text("effective_date") else {
        return Ok(None);
    };
    let date: NaiveDate = text.parse().map_err(|_| "DT01")?;
    if date > asked.day() {
        Err("DT01")
    } else {
        Ok(Some(date))
    }
}

impl Account {
    pub(super) fn is_owned_by(&self, asked: &Asked<'_>) -> bool {
        self.owner == asked.claims.sub
    }

    /// It takes part in postings on this side.
    pub(super) fn takes_part(&self, side: Side, currency: &str) -> Result<(), Refused> {
        let is_blocked = match side {
            Side::Debit => self.no_debits,
            Side::Credit => self.no_credits,
        };
        match () {
            () if self.is_closed => Err("AC04"),
            () if is_blocked => Err("AC06"),
            () if self.currency != currency => Err("AM03"),
            () => Ok(()),
        }
    }
}

impl Reference {
    /// Both accounts are there.
    pub(super) fn parties(&self, debtor: Uuid, creditor: Uuid) -> Result<[&Account; 2], Refused> {
        let debtor = self.accounts.get(&debtor).ok_or("AC02")?;
        let creditor = self.accounts.get(&creditor).ok_or("AC03")?;
        Ok([debtor, creditor])
    }

    /// Customers pay from their own accounts, a platform from any customer's, the bank from all.
    pub(super) fn may_pay(
        asked: &Asked<'_>,
        [debtor, creditor]: [&Account; 2],
    ) -> Result<(), Refused> {
        let are_customers = debtor.category == "liability" && creditor.category == "liability";
        let may = asked.is_bank()
            || are_customers
                && (asked.claims.has("payments:submit-any") || debtor.is_owned_by(asked));
        if may { Ok(()) } else { Err("AG01") }
    }

    /// A token may name the accounts that it debits.
    pub(super) fn may_debit(asked: &Asked<'_>, debtor: Uuid) -> Result<(), Refused> {
        let accounts = asked.claims.accounts.as_ref();
        if accounts.is_none_or(|accounts| accounts.contains(&debtor)) {
            Ok(())
        } else {
            Err("AG01")
        }
    }

    /// A token may name the most that it moves at once.
    pub(super) fn within_maximum(
        asked: &Asked<'_>,
        amount: Minor,
        currency: &str,
    ) -> Result<(), Refused> {
        let Some(maxima) = &asked.claims.payment_max else {
            return Ok(());
        };
        let max = maxima.get(currency).and_then(|max| minor(max, currency));
        if max.is_some_and(|max| amount <= max) {
            Ok(())
        } else {
            Err("AM02")
        }
    }

    /// This much may go from an account, or be held on it.
    pub(super) fn can_spare(&self, id: Uuid, amount: Minor) -> Result<(), Refused> {
        let account = &self.accounts[&id];
        let left = account.posted() - self.held(id) - amount;
        let is_enough = left + account.limits.overdraft >= 0
            && account.limits.minimum.is_none_or(|minimum| left >= minimum);
        if is_enough { Ok(()) } else { Err("AM04") }
    }

    /// An account can take a posting.
    pub(super) fn can_take(&self, id: Uuid, side: Side, amount: Minor) -> Result<(), Refused> {
        let account = &self.accounts[&id];
        if account.grows_by() != side {
            return self.can_spare(id, amount);
        }
        let after = account.posted() + amount;
        match account.limits.maximum {
            Some(maximum) if after > maximum => Err("AM02"),
            _ => Ok(()),
        }
    }

    /// Books a debit and a credit; how an answer shows them.
    pub(super) fn post_both(
        &mut self,
        asked: &Asked<'_>,
        [debtor, creditor]: [Uuid; 2],
        amount: Minor,
        value_date: Option<NaiveDate>,
    ) -> Vec<Shown> {
        let legs = [(debtor, Side::Debit), (creditor, Side::Credit)];
        let legs = legs.map(|(id, side)| self.post(asked, id, side, amount, value_date));
        legs.into()
    }

    /// An account that was looked at before.
    pub(super) fn account(&mut self, id: Uuid) -> &mut Account {
        self.accounts.get_mut(&id).expect("it is there")
    }

    pub(super) fn post(
        &mut self,
        asked: &Asked<'_>,
        id: Uuid,
        side: Side,
        amount: Minor,
        value_date: Option<NaiveDate>,
    ) -> Shown {
        let value_date = value_date.filter(|date| *date != asked.day());
        let account = self.account(id);
        account.post(asked.seq, side, amount, value_date);
        let currency = account.currency.clone();
        let is_shown = asked.is_bank() || account.is_owned_by(asked);
        let balance = is_shown.then(|| text(account.posted(), &currency));
        (id, side.word().to_owned(), text(amount, &currency), balance)
    }

    pub(super) fn pay(&mut self, asked: &Asked<'_>) -> Outcome {
        let currency = asked.text("currency").unwrap_or_default().to_owned();
        decimals(&currency).ok_or("AM03")?;
        let amount = above_zero(asked.text("amount").unwrap_or_default(), &currency)?;
        let date = value_date(asked)?;
        let ids = ["debtor_account", "creditor_account"].map(|field| asked.account(field));
        let [debtor, creditor] = ids;
        if debtor == creditor {
            return Err("NARR");
        }
        let parties = self.parties(debtor, creditor)?;
        Self::may_pay(asked, parties)?;
        Self::may_debit(asked, debtor)?;
        Self::within_maximum(asked, amount, &currency)?;
        parties[0].takes_part(Side::Debit, &currency)?;
        parties[1].takes_part(Side::Credit, &currency)?;
        let leaves = [
            parties[0].grows_by() != Side::Debit,
            parties[1].grows_by() != Side::Credit,
        ];
        self.can_take(debtor, Side::Debit, amount)?;
        self.can_take(creditor, Side::Credit, amount)?;
        let left: Vec<Uuid> = ids
            .into_iter()
            .zip(leaves)
            .filter_map(|(id, leaves)| leaves.then_some(id))
            .collect();
        for id in &left {
            self.accounts[id].may_leave(asked, amount)?;
        }
        for id in left {
            self.account(id).leaves(asked, amount);
        }
        let postings = self.post_both(asked, ids, amount, date);
        let answer = Expected {
            amount: Some(text(amount, &currency)),
            postings,
            ..Expected::status("settled")
        };
        Ok((answer, Some(Booked::Payment(debtor, creditor, amount))))
    }
}
