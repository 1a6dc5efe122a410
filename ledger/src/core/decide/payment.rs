//! Decides about payments.

use chrono::NaiveDate;
use common::ids::{AccountId, ClientId};
use common::kinds::Answer;
use common::kinds::account::Category;
use common::kinds::payment::{Original, PaymentAnswer, PaymentRequest, PaymentStatus, Terms};
use common::kinds::posting::{Direction, Posting};
use common::money::{Currency, Money};
use common::reason::{Code, Reason};
use common::token::{Claims, Scope};

use super::Decision;
use crate::core::at::At;
use crate::core::book::Book;
use crate::core::book::account::{Account, CannotPost, Entry, Status};
use crate::core::book::usage::UsedPaymentId;
use crate::core::change::Change;
use crate::core::rejection;
use crate::core::rules::Rules;
use crate::core::verify::Payment;

/// Why a payment is not booked, in the order of precedence.
enum Refusal {
    /// The request contradicts itself, whatever the books say.
    Terms(Reason),
    NoDebtor(AccountId),
    NoCreditor(AccountId),
    /// An account of the bank's own, and the caller is not the bank.
    OnlyTheBank,
    /// The debtor is somebody else.
    NotTheCallers(AccountId),
    /// The token names the accounts that it may debit, and this is none of them.
    OutsideTheToken(AccountId),
    Blocked(AccountId),
    Closed(AccountId),
    /// More than the token may move at once.
    AboveTheToken {
        /// In this currency; nothing when the token does not name it.
        max: Option<Money>,
        currency: Currency,
    },
    OtherCurrency(AccountId, Currency),
    Insufficient {
        account: AccountId,
        /// If it concerns the caller.
        available: Option<Money>,
        needed: Money,
    },
    Overflow(AccountId),
}

impl From<Refusal> for Reason {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Terms(reason) => reason,
            Refusal::NoDebtor(id) => {
                Self::new(Code::AC02, format!("there is no debtor account {id}"))
            }
            Refusal::NoCreditor(id) => {
                Self::new(Code::AC03, format!("there is no creditor account {id}"))
            }
            Refusal::OnlyTheBank => Self::new(
                Code::AG01,
                "only bank:operate may use accounts that are not a customer's",
            ),
            Refusal::NotTheCallers(id) => {
                Self::new(Code::AG01, format!("account {id} is not the caller's"))
            }
            Refusal::OutsideTheToken(id) => Self::new(
                Code::AG01,
                format!("account {id} is not one that this token may debit"),
            ),
            Refusal::AboveTheToken { max, currency } => Self::new(
                Code::AM02,
                match max {
                    Some(max) => {
                        format!("this token may move {max} {currency} at most in one payment")
                    }
                    None => format!("this token may move no {currency}"),
                },
            ),
            Refusal::Blocked(id) => Self::new(Code::AC06, format!("account {id} is blocked")),
            Refusal::Closed(id) => Self::new(Code::AC04, format!("account {id} is closed")),
            Refusal::OtherCurrency(id, kept_in) => {
                Self::new(Code::AM03, format!("account {id} is kept in {kept_in}"))
            }
            Refusal::Insufficient {
                account,
                available,
                needed,
            } => Self::new(
                Code::AM04,
                match available {
                    Some(available) => {
                        format!("account {account} has {available} available, {needed} needed")
                    }
                    None => format!("account {account} has not enough available, {needed} needed"),
                },
            ),
            Refusal::Overflow(id) => {
                Self::new(Code::AM12, format!("account {id} can't hold so much"))
            }
        }
    }
}

/// Answers a payment. If the payment id is used up, the answer is what became of the first payment, before any other
/// check.
pub(super) fn decide(book: &Book, at: At, claims: &Claims, payment: &Payment) -> Decision {
    let (client, request) = (&claims.client_id, &payment.request);
    let key = (client.clone(), request.payment_id);
    if let Some(first) = book.payments.get(&key) {
        return Decision::without_change(asked_before(at, client, payment, first));
    }
    let (answer, entries) = match book_payment(book, at, claims, payment) {
        Ok(booked) => (settled(at, client, request, &booked), Some(booked.entries)),
        Err(refusal) => (
            rejection::payment(at, client.clone(), Some(request), refusal.into(), false),
            None,
        ),
    };
    // Settled or not, the id is used up: a retry must get the same outcome, not a new decision.
    let used = UsedPaymentId {
        request_seq: at.seq,
        content: payment.content,
        status: answer.status,
        reason: answer.reason.as_ref().map(|reason| reason.code),
    };
    let mut changes = Vec::with_capacity(3);
    changes.push(Change::PaymentIdUsed(key, used));
    changes.extend(entries.into_iter().flatten().map(Change::Posted));
    Decision {
        answer: Answer::Payment(answer),
        changes,
    }
}

/// What a payment books: a debit and a credit.
struct Booked {
    terms: Terms,
    entries: [Entry; 2],
    /// Whether the caller may see the balance after each.
    is_shown: [bool; 2],
}

/// Checks a payment against the books: what it books, or why nothing.
fn book_payment(
    book: &Book,
    at: At,
    claims: &Claims,
    payment: &Payment,
) -> Result<Booked, Refusal> {
    let request = &payment.request;
    let terms = payment.terms.clone().map_err(Refusal::Terms)?;
    let money = terms.money;
    let account = |id| book.accounts.get(&id);
    let debtor =
        account(request.debtor_account).ok_or(Refusal::NoDebtor(request.debtor_account))?;
    let creditor =
        account(request.creditor_account).ok_or(Refusal::NoCreditor(request.creditor_account))?;
    may_pay(claims, at.rules, debtor, creditor)?;
    if at.rules.enforce_limits_of_tokens() {
        within_the_token(claims, debtor, money)?;
    }
    for account in [debtor, creditor] {
        takes_part(account)?;
        if account.posted.currency() != money.currency() {
            return Err(Refusal::OtherCurrency(
                account.id,
                account.posted.currency(),
            ));
        }
    }
    let is_bank = claims.allows(Scope::BankOperate);
    let is_shown = [debtor, creditor].map(|account| {
        is_bank || account.is_owned_by(&claims.sub, at.rules) || !at.rules.hide_balances_of_others()
    });
    let is_kept = |date: &NaiveDate| at.rules.carry_value_date_and_metadata() && *date != at.day();
    let effective_date = terms.effective_date.filter(is_kept);
    let entry = |account: &Account, direction, is_shown: bool| {
        let balance = account
            .balance_after(direction, money)
            .map_err(|cannot| match cannot {
                CannotPost::Insufficient => Refusal::Insufficient {
                    account: account.id,
                    available: is_shown.then(|| account.available()),
                    needed: money,
                },
                CannotPost::Overflow => Refusal::Overflow(account.id),
            })?;
        Ok(Entry {
            account: account.id,
            account_seq: account.opened_seq,
            direction,
            amount: money,
            balance,
            number: account.postings + 1,
            effective_date,
        })
    };
    let entries = [
        entry(debtor, Direction::Debit, is_shown[0])?,
        entry(creditor, Direction::Credit, is_shown[1])?,
    ];
    let [debit, credit] = entries.map(|entry| entry.debit_side().amount());
    assert!(
        (debit + credit).is_zero(),
        "the postings of a payment do not sum to zero"
    );
    Ok(Booked {
        terms,
        entries,
        is_shown,
    })
}

/// Customers pay from their own accounts, a trusted platform from any customer's; only the bank touches the bank's.
fn may_pay(
    claims: &Claims,
    rules: Rules,
    debtor: &Account,
    creditor: &Account,
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

/// A token may name the accounts that it debits and the most that it moves at once.
fn within_the_token(claims: &Claims, debtor: &Account, money: Money) -> Result<(), Refusal> {
    let accounts = claims.accounts.as_ref();
    if accounts.is_some_and(|accounts| !accounts.contains(&debtor.id)) {
        return Err(Refusal::OutsideTheToken(debtor.id));
    }
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

fn takes_part(account: &Account) -> Result<(), Refusal> {
    match account.status {
        Status::Open => Ok(()),
        Status::Frozen => Err(Refusal::Blocked(account.id)),
        Status::Closed => Err(Refusal::Closed(account.id)),
    }
}

fn settled(at: At, client: &ClientId, request: &PaymentRequest, booked: &Booked) -> PaymentAnswer {
    let Booked {
        terms,
        entries,
        is_shown,
    } = booked;
    let amount = terms.money.to_string();
    let posting = |(entry, is_shown): (&Entry, &bool)| Posting {
        account: entry.account,
        direction: entry.direction,
        amount: amount.clone(),
        balance: is_shown.then(|| entry.balance.to_string()),
    };
    let value_date = terms.effective_date.unwrap_or_else(|| at.day());
    let has_value_date = at.rules.carry_value_date_and_metadata();
    PaymentAnswer {
        request_seq: at.seq,
        payment_id: Some(request.payment_id),
        client_id: client.clone(),
        status: PaymentStatus::Settled,
        reason: None,
        debtor_account: Some(request.debtor_account),
        creditor_account: Some(request.creditor_account),
        amount: Some(amount.clone()),
        currency: Some(request.currency.clone()),
        reference: request.reference.clone(),
        effective_date: has_value_date.then(|| Some(value_date.to_string())),
        metadata: has_value_date.then(|| request.metadata.clone()),
        postings: entries.iter().zip(is_shown).map(posting).collect(),
        original: None,
        may_retry: false,
        published_at: at.published_at,
    }
}

fn asked_before(at: At, client: &ClientId, payment: &Payment, first: &UsedPaymentId) -> Answer {
    let request = &payment.request;
    let seq = first.request_seq;
    let original = Original {
        request_seq: seq,
        status: first.status,
        reason: first.reason,
    };
    let other_content = Reason::new(
        Code::AM05,
        format!("request {seq} used this payment_id for another payment"),
    );
    let rejected = rejection::payment(at, client.clone(), Some(request), other_content, false);
    if first.content != payment.content {
        return Answer::Payment(PaymentAnswer {
            original: Some(original),
            ..rejected
        });
    }
    let amount = match &payment.terms {
        Ok(terms) => terms.money.to_string(),
        Err(_) => request.amount.clone(),
    };
    Answer::Payment(PaymentAnswer {
        status: PaymentStatus::Duplicate,
        reason: None,
        amount: Some(amount),
        original: Some(original),
        ..rejected
    })
}
