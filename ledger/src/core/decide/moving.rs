//! What every movement of money is checked by: whose accounts, whether they take part, and how far they may go.

use chrono::NaiveDate;
use common::ids::AccountId;
use common::kinds::account::Category;
use common::kinds::posting::{Direction, Posting};
use common::money::Money;
use common::token::{Claims, Scope};

use super::refusal::{Cannot, Refusal, Velocity, VelocityOf};
use crate::core::at::At;
use crate::core::book::Book;
use crate::core::book::account::{
    Account, CannotPost, Entry, Standing, Status, is_above, normal_side,
};
use crate::core::book::limits::{Spent, Usage, VelocityMax};
use crate::core::change::Change;
use crate::core::rules::Rules;

/// The two accounts of a movement.
#[derive(Clone, Copy)]
pub(super) struct Parties<'b> {
    pub(super) debtor: &'b Account,
    pub(super) creditor: &'b Account,
}

impl<'b> Parties<'b> {
    pub(super) fn of(
        book: &'b Book,
        debtor: AccountId,
        creditor: AccountId,
    ) -> Result<Self, Refusal> {
        let account = |id| book.accounts.get(&id);
        Ok(Self {
            debtor: account(debtor).ok_or(Refusal::NoDebtor(debtor))?,
            creditor: account(creditor).ok_or(Refusal::NoCreditor(creditor))?,
        })
    }

    /// Both take part, in this currency.
    pub(super) fn take_part(self, money: Money) -> Result<(), Refusal> {
        for (account, direction) in [
            (self.debtor, Direction::Debit),
            (self.creditor, Direction::Credit),
        ] {
            takes_part(account, direction)?;
            if account.posted.currency() != money.currency() {
                return Err(Refusal::OtherCurrency(
                    account.id,
                    account.posted.currency(),
                ));
            }
        }
        Ok(())
    }

    /// Whether the caller may see what each holds.
    pub(super) fn shown_to(self, claims: &Claims, rules: Rules) -> [bool; 2] {
        [self.debtor, self.creditor].map(|account| is_shown(account, claims, rules))
    }
}

/// Whether the caller may see what an account holds.
pub(super) fn is_shown(account: &Account, claims: &Claims, rules: Rules) -> bool {
    claims.allows(Scope::BankOperate)
        || account.is_owned_by(&claims.sub, rules)
        || !rules.hide_balances_of_others()
}

/// Customers pay from their own accounts, a trusted platform from any customer's; only the bank touches the bank's.
pub(super) fn may_pay(
    claims: &Claims,
    rules: Rules,
    Parties { debtor, creditor }: Parties<'_>,
) -> Result<(), Refusal> {
    if claims.allows(Scope::BankOperate) {
        return Ok(());
    }
    if [debtor, creditor]
        .iter()
        .any(|account| account.category != Category::Liability)
    {
        return Err(Refusal::OnlyTheBank);
    }
    if claims.allows(Scope::PaymentsSubmitAny) || debtor.is_owned_by(&claims.sub, rules) {
        return Ok(());
    }
    Err(Refusal::NotTheCallers(debtor.id))
}

/// A token may name the most that it moves at once.
pub(super) fn within_the_maximum(claims: &Claims, money: Money) -> Result<(), Refusal> {
    let Some(limits) = &claims.payment_max else {
        return Ok(());
    };
    let currency = money.currency();
    // Auth writes amounts only; what is none allows nothing.
    let max = limits
        .get(currency.code())
        .and_then(|max| Money::not_negative(max, currency).ok());
    match max {
        Some(max) if money.amount() <= max.amount() => Ok(()),
        max => Err(Refusal::AboveTheToken { max, currency }),
    }
}

/// A token may name the accounts that it debits and the most that it moves at once.
pub(super) fn within_the_token(
    claims: &Claims,
    debtor: &Account,
    money: Money,
) -> Result<(), Refusal> {
    may_debit(claims, debtor)?;
    within_the_maximum(claims, money)
}

/// A token may name the accounts that it debits.
pub(super) fn may_debit(claims: &Claims, debtor: &Account) -> Result<(), Refusal> {
    let accounts = claims.accounts.as_ref();
    if accounts.is_some_and(|accounts| !accounts.contains(&debtor.id)) {
        return Err(Refusal::OutsideTheToken(debtor.id));
    }
    Ok(())
}

/// An account may be blocked or closed.
pub(super) fn takes_part(account: &Account, direction: Direction) -> Result<(), Refusal> {
    match account.status {
        Status::Closed => Err(Refusal::Closed(account.id)),
        status if status.blocks(direction) => Err(Refusal::Blocked(account.id)),
        Status::Open | Status::Frozen | Status::DebitFrozen | Status::CreditFrozen => Ok(()),
    }
}

/// A debit or credit on an account, if it can take it.
pub(super) fn entry(
    account: &Account,
    direction: Direction,
    money: Money,
    is_shown: bool,
    effective_date: Option<NaiveDate>,
) -> Result<Entry, Refusal> {
    let balance = account
        .balance_after(direction, money)
        .map_err(|cannot| refused(account, cannot, money, is_shown))?;
    Ok(Entry {
        item: None,
        account: account.id,
        account_seq: account.opened_seq,
        direction,
        amount: money,
        balance,
        number: account.postings + 1,
        effective_date,
    })
}

/// Why an account can't take or spare so much; by how much only for the caller whom it concerns.
pub(super) fn refused(
    account: &Account,
    cannot: CannotPost,
    needed: Money,
    is_shown: bool,
) -> Refusal {
    let cannot = match cannot {
        CannotPost::Insufficient => Cannot::Insufficient {
            available: is_shown.then(|| account.available()),
            needed,
        },
        CannotPost::BelowMinimum(minimum) => Cannot::BelowMinimum {
            minimum: is_shown.then_some(minimum),
        },
        CannotPost::AboveMaximum(maximum) => Cannot::AboveMaximum {
            room: is_shown.then_some((maximum, account.posted)),
        },
        CannotPost::Overflow => Cannot::Overflow,
    };
    Refusal::Account(account.id, cannot)
}

/// What is counted once this much leaves an account; `None` when nothing is counted.
pub(super) fn counted(
    account: &Account,
    at: At,
    money: Money,
    is_shown: bool,
) -> Result<Option<Usage>, Refusal> {
    let (Some(controls), Some(usage)) = (&account.controls, account.usage(at.day())) else {
        return Ok(None);
    };
    let after = usage.and(money);
    let after = after.ok_or(Refusal::Account(account.id, Cannot::Overflow))?;
    for (window, max, before, after) in [
        ("day", controls.day, usage.of_day, after.of_day),
        ("month", controls.month, usage.of_month, after.of_month),
    ] {
        if let Some(of) = exceeds(max, before, after, money) {
            let detail = is_shown.then(|| Box::new(Velocity { window, of }));
            return Err(Refusal::Account(
                account.id,
                Cannot::AboveVelocity { detail },
            ));
        }
    }
    Ok(Some(after))
}

fn exceeds(max: VelocityMax, before: Spent, after: Spent, asked: Money) -> Option<VelocityOf> {
    if let Some(max) = max.amount.filter(|max| is_above(after.amount, *max)) {
        return Some(VelocityOf::Amount {
            spent: before.amount,
            asked,
            max,
        });
    }
    let max = max.count.filter(|max| after.count > *max)?;
    Some(VelocityOf::Count { max })
}

/// What leaves an account by a posting is counted for its limits; what comes in is not.
pub(super) fn leaves(account: &Account, direction: Direction) -> bool {
    direction != normal_side(account.category)
}

/// The change of an account that has counted this much.
pub(super) fn counts(account: &Account, usage: Usage) -> Change {
    let standing = with_usage(account.standing(), Some(usage));
    Change::AccountStands(account.id, Box::new(standing))
}

/// A standing with this counted.
pub(super) fn with_usage(mut standing: Standing, usage: Option<Usage>) -> Standing {
    if let (Some(controls), Some(usage)) = (&mut standing.controls, usage) {
        controls.usage = Some(usage);
    }
    standing
}

/// The postings of an answer.
pub(super) fn postings(entries: &[Entry], is_shown: &[bool]) -> Vec<Posting> {
    let posting = |(entry, is_shown): (&Entry, &bool)| Posting {
        account: entry.account,
        direction: entry.direction,
        amount: entry.amount.to_string(),
        currency: None,
        balance: is_shown.then(|| entry.balance.to_string()),
    };
    entries.iter().zip(is_shown).map(posting).collect()
}

/// The entries of one decision sum to zero.
pub(super) fn assert_balanced(entries: &[Entry]) {
    let sum: rust_decimal::Decimal = entries
        .iter()
        .map(|entry| entry.debit_side().amount())
        .sum();
    assert!(
        sum.is_zero(),
        "the postings of a decision do not sum to zero"
    );
}
