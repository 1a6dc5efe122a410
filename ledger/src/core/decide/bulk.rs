//! Decides about batches of payments: each in order, as if it had come alone; with `atomic` all are booked, or none.
//!
//! An atomic batch is tried first. If something is booked and something is not, all of it is taken back and decided once
//! more: what was booked is now rejected. Every id is used up either way, so that a retry gets the same outcomes.

use common::ids::AccountId;
use common::kinds::Answer;
use common::kinds::bulk::{BatchAnswer, BatchStatus, ItemAnswer, Malformed};
use common::kinds::payment::{PaymentAnswer, PaymentStatus};
use common::token::Claims;

use super::Decision;
use super::payment::{self, Outcome};
use super::refusal::Refusal;
use crate::core::at::At;
use crate::core::book::account::Account;
use crate::core::book::{Book, Map};
use crate::core::change::Change;
use crate::core::rejection;
use crate::core::verify::{Bulk, Payment};

/// Answers a batch and changes the book: each payment sees what those before it did.
pub(super) fn decide(book: &mut Book, at: At, claims: &Claims, bulk: &Bulk) -> Decision {
    let before = bulk.atomic.then(|| accounts(book, bulk));
    let mut outcomes = decide_each(book, at, claims, bulk, |_| None);
    if let (Some(before), Some(number)) = (before, spoiler(&outcomes)) {
        take_back(book, before, &outcomes);
        let tried = outcomes;
        outcomes = decide_each(book, at, claims, bulk, |index| {
            let reason = tried[index].answer.reason.clone();
            Some(match reason {
                Some(reason) => Refusal::Terms(reason),
                None => Refusal::AnotherOfTheBatch(number),
            })
        });
    }
    let (answers, changes): (Vec<_>, Vec<_>) = outcomes
        .into_iter()
        .map(|outcome| (outcome.answer, outcome.changes))
        .unzip();
    Decision {
        answer: Answer::Bulk(Box::new(answer(at, claims, bulk, answers))),
        changes: changes.into_iter().flatten().collect(),
    }
}

/// Decides the payments one after the other; those for which `refused` has a reason are not booked.
fn decide_each(
    book: &mut Book,
    at: At,
    claims: &Claims,
    bulk: &Bulk,
    refused: impl Fn(usize) -> Option<Refusal>,
) -> Vec<Outcome> {
    let decide_one = |(index, read): (usize, &Result<Payment, Malformed>)| {
        let payment = match read {
            Ok(payment) => payment,
            Err(malformed) => return unreadable(at, claims, malformed),
        };
        let item = u16::try_from(index).expect("a batch has at most a thousand payments");
        let outcome = payment::outcome(book, at, claims, payment, Some(item), refused(index));
        for change in &outcome.changes {
            book.apply(change);
        }
        outcome
    };
    bulk.payments.iter().enumerate().map(decide_one).collect()
}

fn unreadable(at: At, claims: &Claims, malformed: &Malformed) -> Outcome {
    let answer = PaymentAnswer {
        payment_id: malformed.payment_id,
        reason: Some(malformed.reason.clone()),
        may_retry: true,
        ..rejection::blank(at, claims.client_id.clone())
    };
    Outcome {
        answer,
        changes: Vec::new(),
    }
}

/// The accounts of a batch as they are now.
fn accounts(book: &Book, bulk: &Bulk) -> Map<AccountId, Account> {
    let named = bulk.readable().map(|payment| &payment.request);
    let ids = named.flat_map(|request| [request.debtor_account, request.creditor_account]);
    ids.filter_map(|id| Some((id, book.accounts.get(&id)?.clone())))
        .collect()
}

/// The number (from 1) of the first payment that keeps a batch from being booked whole; `None` when all or none is.
fn spoiler(outcomes: &[Outcome]) -> Option<usize> {
    let is_settled = |outcome: &Outcome| outcome.answer.status == PaymentStatus::Settled;
    if !outcomes.iter().any(is_settled) {
        return None;
    }
    let index = outcomes.iter().position(|outcome| !is_settled(outcome))?;
    Some(index + 1)
}

fn take_back(book: &mut Book, before: Map<AccountId, Account>, outcomes: &[Outcome]) {
    for change in outcomes.iter().flat_map(|outcome| &outcome.changes) {
        if let Change::PaymentIdUsed(key, _) = change {
            book.payments.remove(key);
        }
    }
    book.accounts.extend(before);
}

fn answer(at: At, claims: &Claims, bulk: &Bulk, answers: Vec<PaymentAnswer>) -> BatchAnswer {
    let count = |status| {
        let of_status = answers.iter().filter(|answer| answer.status == status);
        u32::try_from(of_status.count()).expect("a batch has at most a thousand payments")
    };
    let day = at.day().to_string();
    BatchAnswer {
        status: BatchStatus::Answered,
        atomic: bulk.atomic,
        settled: count(PaymentStatus::Settled),
        rejected: count(PaymentStatus::Rejected),
        duplicates: count(PaymentStatus::Duplicate),
        debtor_account: bulk.debtor_account,
        currency: bulk.currency.clone(),
        payments: answers
            .into_iter()
            .map(|answer| item(&day, bulk, answer))
            .collect(),
        may_retry: false,
        ..rejection::blank_bulk(at, claims.client_id.clone(), Some(bulk.batch_id))
    }
}

/// What an answer says that the batch does not say already; `day` is the batch's.
fn item(day: &str, bulk: &Bulk, answer: PaymentAnswer) -> ItemAnswer {
    let is_settled = answer.status == PaymentStatus::Settled;
    let date = answer.effective_date.flatten();
    ItemAnswer {
        payment_id: answer.payment_id,
        status: answer.status,
        reason: answer.reason,
        debtor_account: answer
            .debtor_account
            .filter(|account| Some(*account) != bulk.debtor_account),
        creditor_account: answer.creditor_account,
        amount: answer.amount,
        currency: answer
            .currency
            .filter(|currency| Some(currency) != bulk.currency.as_ref()),
        reference: answer.reference,
        effective_date: date.filter(|date| !(is_settled && date == day)),
        metadata: answer.metadata.unwrap_or_default(),
        original: answer.original,
        may_retry: answer.may_retry,
    }
}
