//! Decides about transactions of several postings: all of it is booked, or nothing.
//!
//! Whether an account holds enough is judged at the end: one that is credited and debited needs no more than the difference.

use std::collections::BTreeMap;

use common::ids::AccountId;
use common::kinds::account::Category;
use common::kinds::payment::{PaymentAnswer, PaymentStatus};
use common::kinds::posting::{Direction, Posting};
use common::kinds::transaction::{Leg, TransactionRequest};
use common::money::{Currency, Money};
use common::token::{Claims, Scope};

use super::Decision;
use super::asked::{self, Outcome};
use super::moving::{
    self, counted, counts, is_shown, may_debit, refused, takes_part, within_the_maximum,
};
use super::payment::kept_date;
use super::refusal::{Cannot, Refusal};
use crate::core::at::At;
use crate::core::book::Book;
use crate::core::book::account::{Account, Entry, normal_side};
use crate::core::change::Change;
use crate::core::verify::Asked;

/// Answers a transaction.
pub(super) fn decide(
    book: &Book,
    at: At,
    claims: &Claims,
    asked: &Asked<TransactionRequest>,
) -> Decision {
    asked::decide(book, at, claims, asked, || {
        book_all(book, at, claims, &asked.request)
    })
}

fn book_all(
    book: &Book,
    at: At,
    claims: &Claims,
    request: &TransactionRequest,
) -> Result<Outcome, Refusal> {
    let terms = request.terms(at.published_at).map_err(Refusal::Terms)?;
    let mut accounts = Vec::with_capacity(terms.legs.len());
    for leg in &terms.legs {
        let account = book.accounts.get(&leg.account);
        accounts.push(account.ok_or(match leg.direction {
            Direction::Debit => Refusal::NoDebtor(leg.account),
            Direction::Credit => Refusal::NoCreditor(leg.account),
        })?);
    }
    may_book(claims, at, &terms.legs, &accounts)?;
    for (leg, account) in terms.legs.iter().zip(&accounts) {
        takes_part(account, leg.direction)?;
        if account.posted.currency() != leg.money.currency() {
            return Err(Refusal::OtherCurrency(
                account.id,
                account.posted.currency(),
            ));
        }
    }
    let effective_date = kept_date(at, terms.effective_date);
    let mut after = BTreeMap::<AccountId, Account>::new();
    let (mut entries, mut postings) = (Vec::new(), Vec::new());
    for (leg, account) in terms.legs.iter().zip(&accounts) {
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
        changes.extend(within_limits(book, at, claims, after)?);
    }
    let value_date = terms.effective_date.unwrap_or_else(|| at.day());
    let answer = PaymentAnswer {
        effective_date: Some(Some(value_date.to_string())),
        postings,
        ..asked::answer(at, claims, request, PaymentStatus::Settled)
    };
    Ok(Outcome {
        answer,
        moved: None,
        changes,
    })
}

/// Customers debit their own accounts, a trusted platform any customer's; only the bank touches the bank's.
fn may_book(claims: &Claims, at: At, legs: &[Leg], accounts: &[&Account]) -> Result<(), Refusal> {
    let debited = || {
        let legs = legs.iter().zip(accounts);
        legs.filter(|(leg, _)| leg.direction == Direction::Debit)
    };
    if !claims.allows(Scope::BankOperate) {
        let is_customers = |account: &&Account| account.category == Category::Liability;
        if !accounts.iter().all(is_customers) {
            return Err(Refusal::OnlyTheBank);
        }
        let is_open_to_all = claims.allows(Scope::PaymentsSubmitAny);
        let strangers = |account: &&Account| !account.is_owned_by(&claims.sub, at.rules);
        let stranger = debited().map(|(_, account)| *account).find(strangers);
        if let Some(stranger) = stranger.filter(|_| !is_open_to_all) {
            return Err(Refusal::NotTheCallers(stranger.id));
        }
    }
    let mut sums = BTreeMap::<&str, Money>::new();
    for (leg, account) in debited() {
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

/// Whether an account may come to what the transaction makes of it, and what is counted for its limits.
fn within_limits(
    book: &Book,
    at: At,
    claims: &Claims,
    after: &Account,
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
