//! Transactions of several postings: all of it, or nothing.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use uuid::Uuid;

use super::payments::{Outcome, Shown, above_zero, decimals, value_date};
use super::reversals::Booked;
use super::{Asked, Expected, Minor, Reference, Refused, Side};

/// A posting that is asked for.
#[derive(Clone)]
pub(super) struct Leg {
    pub(super) account: Uuid,
    pub(super) side: Side,
    amount: Minor,
    currency: String,
}

impl Reference {
    pub(super) fn book(&mut self, asked: &Asked<'_>) -> Outcome {
        let postings = asked.body["postings"]
            .as_array()
            .expect("the mix lists postings");
        if !(2..=100).contains(&postings.len()) {
            return Err("FF01");
        }
        let mut legs = Vec::new();
        for posting in postings {
            let word = |name: &str| posting[name].as_str().unwrap_or_default();
            let currency = word("currency").to_owned();
            decimals(&currency).ok_or("AM03")?;
            legs.push(Leg {
                account: word("account").parse().expect("the mix names accounts"),
                side: if word("direction") == "debit" {
                    Side::Debit
                } else {
                    Side::Credit
                },
                amount: above_zero(word("amount"), &currency)?,
                currency,
            });
        }
        let date = value_date(asked)?;
        let mut sums = BTreeMap::<&str, Minor>::new();
        for leg in &legs {
            *sums.entry(&leg.currency).or_default() += match leg.side {
                Side::Debit => leg.amount,
                Side::Credit => -leg.amount,
            };
        }
        if sums.values().any(|sum| *sum != 0) {
            return Err("NARR");
        }
        for leg in &legs {
            let is_missing = !self.accounts.contains_key(&leg.account);
            match leg.side {
                Side::Debit if is_missing => return Err("AC02"),
                Side::Credit if is_missing => return Err("AC03"),
                Side::Debit | Side::Credit => {}
            }
        }
        self.may_book(asked, &legs)?;
        let answer = Expected {
            postings: self.book_legs(asked, &legs, date, true)?,
            ..Expected::status("settled")
        };
        Ok((answer, Some(Booked::Transaction(legs))))
    }

    /// Books them, if every account takes part and can take it; what leaves one may count for its limits.
    pub(super) fn book_legs(
        &mut self,
        asked: &Asked<'_>,
        legs: &[Leg],
        date: Option<NaiveDate>,
        counts: bool,
    ) -> Result<Vec<Shown>, Refused> {
        for leg in legs {
            self.accounts[&leg.account].takes_part(leg.side, &leg.currency)?;
        }
        // What each account gains, on its own side. Only the difference must be there.
        let mut gains = BTreeMap::<Uuid, Minor>::new();
        for leg in legs {
            let grows = self.accounts[&leg.account].grows_by() == leg.side;
            *gains.entry(leg.account).or_default() += if grows { leg.amount } else { -leg.amount };
        }
        for (id, gain) in &gains {
            let account = &self.accounts[id];
            if *gain > 0 {
                self.can_take(*id, account.grows_by(), *gain)?;
            } else if *gain < 0 {
                self.can_spare(*id, -gain)?;
                if counts {
                    account.may_leave(asked, -gain)?;
                }
            }
        }
        for (id, gain) in gains.into_iter().filter(|(_, gain)| counts && *gain < 0) {
            self.account(id).leaves(asked, -gain);
        }
        let post = |leg: &Leg| self.post(asked, leg.account, leg.side, leg.amount, date);
        Ok(legs.iter().map(post).collect())
    }

    fn may_book(&self, asked: &Asked<'_>, legs: &[Leg]) -> Result<(), Refused> {
        let is_customers = |leg: &Leg| self.accounts[&leg.account].category == "liability";
        let is_own = |leg: &Leg| {
            leg.side == Side::Credit
                || asked.claims.has("payments:submit-any")
                || self.accounts[&leg.account].is_owned_by(asked)
        };
        if !asked.is_bank() && !legs.iter().all(|leg| is_customers(leg) && is_own(leg)) {
            return Err("AG01");
        }
        Self::within_the_token(asked, legs)
    }

    /// A token may name the accounts that it debits and the most that it moves.
    pub(super) fn within_the_token(asked: &Asked<'_>, legs: &[Leg]) -> Result<(), Refused> {
        let mut sums = BTreeMap::<&str, Minor>::new();
        for leg in legs.iter().filter(|leg| leg.side == Side::Debit) {
            Self::may_debit(asked, leg.account)?;
            *sums.entry(&leg.currency).or_default() += leg.amount;
        }
        for (currency, sum) in sums {
            Self::within_maximum(asked, sum, currency)?;
        }
        Ok(())
    }
}
