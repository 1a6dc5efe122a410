//! Accounts: opened, frozen, unfrozen, closed, limited.

use chrono::{Datelike as _, NaiveDate};
use serde_json::Value;

use super::payments::{decimals, minor};
use super::{Account, Asked, Expected, Limits, Minor, Reference, Refused};

impl Reference {
    pub(super) fn about_account(&mut self, asked: &Asked<'_>) -> Expected {
        let done = match asked.text("action").unwrap_or_default() {
            "open" => self.open(asked),
            "freeze" => self.freeze(asked, true),
            "unfreeze" => self.freeze(asked, false),
            "close" => self.close(asked),
            "limit" => self.limit(asked),
            other => panic!("the reference knows no {other}"),
        };
        done.map_or_else(Expected::rejected, Expected::status)
    }

    fn open(&mut self, asked: &Asked<'_>) -> Result<&'static str, Refused> {
        let owner = asked.text("owner").unwrap_or_default().to_owned();
        let currency = asked.text("currency").unwrap_or_default().to_owned();
        let category = asked.text("category").unwrap_or("liability").to_owned();
        decimals(&currency).ok_or("AM03")?;
        let overdraft = match asked.text("overdraft_limit") {
            None => 0,
            Some(text) => minor(text, &currency).ok_or("AM12")?,
        };
        let is_own = owner == asked.claims.sub
            && category == "liability"
            && asked.text("overdraft_limit").is_none();
        if !is_own && !asked.is_bank() {
            return Err("AG01");
        }
        let id = asked.account("account_id");
        if let Some(known) = self.accounts.get(&id) {
            let is_same = known.owner == owner
                && known.currency == currency
                && known.category == category
                && known.limits.overdraft == overdraft;
            return if is_same {
                Ok("duplicate")
            } else {
                Err("AM05")
            };
        }
        self.accounts.insert(
            id,
            Account {
                opened_seq: asked.seq,
                owner,
                currency,
                category,
                no_debits: false,
                no_credits: false,
                is_closed: false,
                limits: Limits {
                    overdraft,
                    ..Limits::default()
                },
                left: None,
                lines: Vec::new(),
            },
        );
        Ok("opened")
    }

    /// The account, which only the bank may control.
    fn controlled(&mut self, asked: &Asked<'_>) -> Result<&mut Account, Refused> {
        if !asked.is_bank() {
            return Err("AG01");
        }
        let id = asked.account("account_id");
        self.accounts.get_mut(&id).ok_or("AC02")
    }

    fn freeze(&mut self, asked: &Asked<'_>, frozen: bool) -> Result<&'static str, Refused> {
        let side = asked.text("side").unwrap_or("both");
        let account = self.controlled(asked)?;
        if account.is_closed {
            return Err("AC04");
        }
        let before = (account.no_debits, account.no_credits);
        if side != "credit" {
            account.no_debits = frozen;
        }
        if side != "debit" {
            account.no_credits = frozen;
        }
        Ok(
            match (before == (account.no_debits, account.no_credits), frozen) {
                (true, _) => "duplicate",
                (false, true) => "frozen",
                (false, false) => "unfrozen",
            },
        )
    }

    fn close(&mut self, asked: &Asked<'_>) -> Result<&'static str, Refused> {
        let held = self.held(asked.account("account_id"));
        let account = self.controlled(asked)?;
        if held != 0 || account.posted() != 0 {
            return Err("NARR");
        }
        if account.is_closed {
            return Ok("duplicate");
        }
        account.is_closed = true;
        Ok("closed")
    }

    fn limit(&mut self, asked: &Asked<'_>) -> Result<&'static str, Refused> {
        let held = self.held(asked.account("account_id"));
        let account = self.controlled(asked)?;
        if account.is_closed {
            return Err("AC04");
        }
        let limits = limits(&asked.body["limits"], &account.currency)?;
        if limits
            .minimum
            .is_some_and(|minimum| limits.maximum.is_some_and(|max| minimum > max))
        {
            return Err("NARR");
        }
        let posted = account.posted();
        let free = posted - held;
        let [(day, day_count), (month, month_count)] = account.left_by(asked);
        let is_below_use = free + limits.overdraft < 0
            || limits.minimum.is_some_and(|minimum| minimum > free)
            || limits.maximum.is_some_and(|maximum| posted > maximum)
            || limits.day_amount.is_some_and(|max| day > max)
            || limits.day_count.is_some_and(|max| day_count > max)
            || limits.month_amount.is_some_and(|max| month > max)
            || limits.month_count.is_some_and(|max| month_count > max);
        if is_below_use {
            return Err("AM02");
        }
        if limits == account.limits {
            return Ok("duplicate");
        }
        // It counts from the moment on at which there is something to count for.
        account.left = limits
            .count()
            .then(|| account.left.take().unwrap_or_default());
        account.limits = limits;
        Ok("limited")
    }
}

impl Account {
    /// How much and how many times something left it, this day and this month.
    pub(super) fn left_by(&self, asked: &Asked<'_>) -> [(Minor, u64); 2] {
        let month = |day: NaiveDate| (day.year(), day.month());
        let (mut of_day, mut of_month) = ((0, 0), (0, 0));
        for (day, amount) in self.left.iter().flatten() {
            if *day == asked.day() {
                of_day = (of_day.0 + amount, of_day.1 + 1);
            }
            if month(*day) == month(asked.day()) {
                of_month = (of_month.0 + amount, of_month.1 + 1);
            }
        }
        [of_day, of_month]
    }

    /// This much may leave it as far as its limits of a day and a month go.
    pub(super) fn may_leave(&self, asked: &Asked<'_>, amount: Minor) -> Result<(), Refused> {
        let [(day, day_count), (month, month_count)] = self.left_by(asked);
        let limits = &self.limits;
        let is_beyond = limits.day_amount.is_some_and(|max| day + amount > max)
            || limits.day_count.is_some_and(|max| day_count + 1 > max)
            || limits.month_amount.is_some_and(|max| month + amount > max)
            || limits.month_count.is_some_and(|max| month_count + 1 > max);
        if is_beyond { Err("AM14") } else { Ok(()) }
    }

    /// Counts what leaves it.
    pub(super) fn leaves(&mut self, asked: &Asked<'_>, amount: Minor) {
        if let Some(left) = &mut self.left {
            left.push((asked.day(), amount));
        }
    }
}

fn limits(asked: &Value, currency: &str) -> Result<Limits, Refused> {
    let amount = |name: &str| {
        let text = asked[name].as_str();
        text.map(|text| minor(text, currency).ok_or("AM12"))
            .transpose()
    };
    Ok(Limits {
        overdraft: amount("overdraft_limit")?.unwrap_or(0),
        minimum: amount("minimum_balance")?,
        maximum: amount("maximum_balance")?,
        day_amount: amount("day_amount_max")?,
        day_count: asked["day_count_max"].as_u64(),
        month_amount: amount("month_amount_max")?,
        month_count: asked["month_count_max"].as_u64(),
    })
}
