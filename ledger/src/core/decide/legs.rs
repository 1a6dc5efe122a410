//! Several postings that are booked together, all of them or none: what a transaction asks for, and what takes it back.
//!
//! Whether an account holds enough is judged at the end: one that is credited and debited needs no more than the difference.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use common::ids::AccountId;
use common::kinds::posting::{Direction, Posting};
use common::kinds::transaction::Leg;
use common::money::{Currency, Money};
use common::token::Claims;

use super::moving::{
    self, counted, counts, is_shown, may_debit, refused, takes_part, within_the_maximum,
};
use super::refusal::{Cannot, Refusal};
use crate::core::at::At;
use crate::core::book::Book;
use crate::core::book::account::{Account, Entry, normal_side};
use crate::core::change::Change;

/// Postings with their accounts, in order.
pub(super) struct Legs<'b>(Vec<(Leg, &'b Account)>);

/// Whether what leaves an account counts for its day and month.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Counting {
    Counted,
    NotCounted,
}

/// What is booked.
pub(super) struct Booked {
    pub(super) postings: Vec<Posting>,
    pub(super) changes: Vec<Change>,
}

impl<'b> Legs<'b> {
    pub(super) fn of(book: &'b Book, legs: impl IntoIterator<Item = Leg>) -> Result<Self, Refusal> {
        let with_account = |leg: Leg| {
            let account = book.accounts.get(&leg.account);
            let account = account.ok_or(match leg.direction {
                Direction::Debit => Refusal::NoDebtor(leg.account),
                Direction::Credit => Refusal::NoCreditor(leg.account),
            })?;
            Ok((leg, account))
        };
        let legs: Result<_, Refusal> = legs.into_iter().map(with_account).collect();
        Ok(Self(legs?))
    }

    pub(super) fn accounts(&self) -> impl Iterator<Item = &'b Account> {
        self.0.iter().map(|(_, account)| *account)
    }

    pub(super) fn debited(&self) -> impl Iterator<Item = (Leg, &'b Account)> {
        let legs = self.0.iter().copied();
        legs.filter(|(leg, _)| leg.direction == Direction::Debit)
    }

    /// A token may name the accounts that it debits and the most that it moves at once, in each currency.
    pub(super) fn are_within_the_token(&self, claims: &Claims) -> Result<(), Refusal> {
        let mut sums = BTreeMap::<&str, Money>::new();
        for (leg, account) in self.debited() {
            may_debit(claims, account)?;
            let currency: Currency = leg.money.currency();
            let sum = sums
                .entry(currency.code())
                .or_insert_with(|| Money::zero(currency));
            let more = sum.checked_add(leg.money);
            *sum = more.expect("a hundred amounts of 15 digits fit a decimal");
        }
        sums.into_values()
            .try_for_each(|sum| within_the_maximum(claims, sum))
    }

    /// Books them, if every account takes part and can take it.
    pub(super) fn book(
        &self,
        book: &Book,
        at: At,
        claims: &Claims,
        effective_date: Option<NaiveDate>,
        counting: Counting,
    ) -> Result<Booked, Refusal> {
        for (leg, account) in &self.0 {
            takes_part(account, leg.direction)?;
            if account.posted.currency() != leg.money.currency() {
                return Err(Refusal::OtherCurrency(
                    account.id,
                    account.posted.currency(),
                ));
            }
        }
        let mut after = BTreeMap::<AccountId, Account>::new();
        let (mut entries, mut postings) = (Vec::new(), Vec::new());
        for (leg, account) in &self.0 {
            let now = after
                .entry(account.id)
                .or_insert_with(|| (*account).clone());
            let balance = if leg.direction == normal_side(now.category) {
                now.posted.checked_add(leg.money)
            } else {
                now.posted.checked_sub(leg.money)
            };
            now.posted = balance.ok_or(Refusal::Account(account.id, Cannot::Overflow))?;
            now.postings += 1;
            let balance = now.posted;
            entries.push(Entry {
                item: None,
                account: account.id,
                account_seq: account.opened_seq,
                direction: leg.direction,
                amount: leg.money,
                balance,
                number: now.postings,
                effective_date,
            });
            postings.push(Posting {
                account: account.id,
                direction: leg.direction,
                amount: leg.money.to_string(),
                currency: Some(leg.money.currency().code().to_owned()),
                balance: is_shown(account, claims, at.rules).then(|| balance.to_string()),
            });
        }
        assert_balanced(&entries);
        let mut changes: Vec<Change> = entries.into_iter().map(Change::Posted).collect();
        for after in after.values() {
            changes.extend(within_limits(book, at, claims, after, counting)?);
        }
        Ok(Booked { postings, changes })
    }
}

/// Whether an account may come to what the postings make of it, and what is counted for its limits.
fn within_limits(
    book: &Book,
    at: At,
    claims: &Claims,
    after: &Account,
    counting: Counting,
) -> Result<Option<Change>, Refusal> {
    let before = &book.accounts[&after.id];
    let is_shown = is_shown(before, claims, at.rules);
    let difference = after.posted.checked_sub(before.posted);
    let difference = difference.ok_or(Refusal::Account(after.id, Cannot::Overflow))?;
    if difference.amount().is_zero() {
        return Ok(None);
    }
    if !difference.is_negative() {
        before
            .balance_after(normal_side(before.category), difference)
            .map_err(|cannot| refused(before, cannot, difference, is_shown))?;
        return Ok(None);
    }
    let leaves = difference.negated();
    before
        .can_spare(leaves)
        .map_err(|cannot| refused(before, cannot, leaves, is_shown))?;
    if counting == Counting::NotCounted {
        return Ok(None);
    }
    let usage = counted(before, at, leaves, is_shown)?;
    Ok(usage.map(|usage| counts(before, usage)))
}

/// In each currency; they may be several.
fn assert_balanced(entries: &[Entry]) {
    let mut currencies: Vec<&str> = entries
        .iter()
        .map(|entry| entry.amount.currency().code())
        .collect();
    currencies.sort_unstable();
    currencies.dedup();
    for code in currencies {
        let of_currency = |entry: &&Entry| entry.amount.currency().code() == code;
        let entries: Vec<Entry> = entries.iter().filter(of_currency).copied().collect();
        moving::assert_balanced(&entries);
    }
}
