//! Reversals: what was booked is booked back.

use uuid::Uuid;

use super::payments::{Outcome, above_zero, text};
use super::transactions::Leg;
use super::{Asked, Expected, Key, Minor, Reference, Side};

/// What can be reversed.
#[derive(Clone)]
pub(super) enum Booked {
    /// Who paid whom how much.
    Payment(Uuid, Uuid, Minor),
    /// Whole only.
    Transaction(Vec<Leg>),
}

impl Reference {
    pub(super) fn reverse(&mut self, asked: &Asked<'_>) -> Outcome {
        let key = asked.key("reverses");
        let is_own = key.0 == asked.claims.client_id;
        let original = self.used.get(&key).ok_or("NOOR")?;
        let Some(booked) = original.booked.clone() else {
            return Err(if asked.is_bank() || is_own {
                "NARR"
            } else {
                "NOOR"
            });
        };
        let may = match &booked {
            Booked::Payment(_, paid, _) => {
                let paid = &self.accounts[paid];
                paid.is_owned_by(asked) && paid.category == "liability"
            }
            Booked::Transaction(_) => false,
        };
        if !asked.is_bank() && !may {
            return Err(if is_own { "AG01" } else { "NOOR" });
        }
        match booked {
            Booked::Payment(payer, paid, amount) => {
                self.reverse_payment(asked, &key, [payer, paid], amount)
            }
            Booked::Transaction(legs) => self.reverse_transaction(asked, &key, legs),
        }
    }

    fn reverse_payment(
        &mut self,
        asked: &Asked<'_>,
        key: &Key,
        [payer, paid]: [Uuid; 2],
        amount: Minor,
    ) -> Outcome {
        // Now the account that was paid pays.
        let (debtor, creditor) = (paid, payer);
        let rest = amount - self.used[key].reversed;
        if rest == 0 {
            return Err("NARR");
        }
        let parties = self.parties(debtor, creditor)?;
        let currency = parties[0].currency.clone();
        let amount = match asked.text("amount") {
            None => rest,
            Some(text) => above_zero(text, &currency)?,
        };
        Self::may_debit(asked, debtor)?;
        Self::within_maximum(asked, amount, &currency)?;
        parties[0].takes_part(Side::Debit, &currency)?;
        parties[1].takes_part(Side::Credit, &currency)?;
        if amount > rest {
            return Err("AM02");
        }
        self.can_take(debtor, Side::Debit, amount)?;
        self.can_take(creditor, Side::Credit, amount)?;
        let postings = self.post_both(asked, [debtor, creditor], amount, None);
        self.note_reversed(key, amount);
        let answer = Expected {
            amount: Some(text(amount, &currency)),
            remaining: Some(text(rest - amount, &currency)),
            postings,
            ..Expected::status("reversed")
        };
        Ok((answer, None))
    }

    fn reverse_transaction(&mut self, asked: &Asked<'_>, key: &Key, mut legs: Vec<Leg>) -> Outcome {
        if self.used[key].reversed > 0 {
            return Err("NARR");
        }
        if asked.text("amount").is_some() {
            return Err("AM12");
        }
        for leg in &mut legs {
            leg.side = match leg.side {
                Side::Debit => Side::Credit,
                Side::Credit => Side::Debit,
            };
        }
        Self::within_the_token(asked, &legs)?;
        let postings = self.book_legs(asked, &legs, None, false)?;
        // Whole is whole, whatever it is in.
        self.note_reversed(key, 1);
        let answer = Expected {
            postings,
            ..Expected::status("reversed")
        };
        Ok((answer, None))
    }

    fn note_reversed(&mut self, key: &Key, amount: Minor) {
        let original = self.used.get_mut(key);
        original.expect("it was found before").reversed += amount;
    }
}
