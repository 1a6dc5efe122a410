//! Decides about payments.

use chrono::NaiveDate;
use common::ids::ClientId;
use common::kinds::Answer;
use common::kinds::payment::{PaymentAnswer, PaymentRequest, PaymentStatus, Terms};
use common::kinds::posting::Direction;
use common::reason::Reason;
use common::token::Claims;

use super::Decision;
use super::moving::{self, Parties, counted, entry, leaves, may_pay, within_the_token};
use super::refusal::Refusal;
use super::repeated::asked_before;
use crate::core::at::At;
use crate::core::book::Book;
use crate::core::book::account::{Account, Entry};
use crate::core::book::limits::Usage;
use crate::core::book::usage::{Moved, Postings, UsedPaymentId};
use crate::core::change::Change;
use crate::core::rejection;
use crate::core::verify::Payment;

/// Answers a payment. If the payment id is used up, the answer is what became of the first payment, before any other
/// check.
pub(super) fn decide(book: &Book, at: At, claims: &Claims, payment: &Payment) -> Decision {
    let Outcome { answer, changes } = outcome(book, at, claims, payment, None, None);
    Decision {
        answer: Answer::Payment(answer),
        changes,
    }
}

/// What a payment leads to.
pub(super) struct Outcome {
    pub(super) answer: PaymentAnswer,
    pub(super) changes: Vec<Change>,
}

/// Decides a payment that came alone or as this item of a batch. One that is refused is not looked at further.
pub(super) fn outcome(
    book: &Book,
    at: At,
    claims: &Claims,
    payment: &Payment,
    item: Option<u16>,
    refused: Option<Refusal>,
) -> Outcome {
    let (client, request) = (&claims.client_id, &payment.request);
    let key = (client.clone(), request.payment_id);
    let rejected = |reason| rejection::payment(at, client.clone(), Some(request), reason, false);
    if let Some(first) = book.payments.get(&key) {
        let amount = match &payment.terms {
            Ok(terms) => terms.money.to_string(),
            Err(_) => request.amount.clone(),
        };
        let answer = asked_before(first, &payment.content, Some(amount), rejected);
        return Outcome {
            answer,
            changes: Vec::new(),
        };
    }
    let booked = match refused {
        Some(refusal) => Err(refusal),
        None => book_payment(book, at, claims, payment),
    };
    let (answer, booked) = match booked {
        Ok(booked) => (settled(at, client, request, &booked), Some(booked)),
        Err(refusal) => (rejected(Reason::from(refusal)), None),
    };
    // Settled or not, the id is used up: a retry must get the same outcome, not a new decision.
    let used = UsedPaymentId {
        request_seq: at.seq,
        item,
        content: payment.content,
        status: answer.status,
        reason: answer.reason.as_ref().map(|reason| reason.code),
        booked: booked.as_ref().map(|booked| {
            Postings::Pair(Moved {
                debtor: request.debtor_account,
                creditor: request.creditor_account,
                money: booked.terms.money,
            })
        }),
    };
    let mut changes = Vec::with_capacity(3);
    changes.push(Change::PaymentIdUsed(key, used));
    if let Some(booked) = booked {
        let entries = booked.entries.map(|entry| Entry { item, ..entry });
        changes.extend(entries.map(Change::Posted));
        changes.extend(booked.usages.into_iter().flatten());
    }
    Outcome { answer, changes }
}

/// What a payment books: a debit and a credit.
struct Booked {
    terms: Terms,
    entries: [Entry; 2],
    /// Whether the caller may see the balance after each.
    is_shown: [bool; 2],
    /// What each account counts for its limits.
    usages: [Option<Change>; 2],
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
    let parties = Parties::of(book, request.debtor_account, request.creditor_account)?;
    may_pay(claims, at.rules, parties)?;
    if at.rules.enforce_limits_of_tokens() {
        within_the_token(claims, parties.debtor, money)?;
    }
    parties.take_part(money)?;
    let is_shown = parties.shown_to(claims, at.rules);
    let effective_date = kept_date(at, terms.effective_date);
    let Parties { debtor, creditor } = parties;
    let entries = [
        entry(debtor, Direction::Debit, money, is_shown[0], effective_date)?,
        entry(
            creditor,
            Direction::Credit,
            money,
            is_shown[1],
            effective_date,
        )?,
    ];
    moving::assert_balanced(&entries);
    let usage = |account: &Account, entry: &Entry, is_shown| {
        if !leaves(account, entry.direction) {
            return Ok(None);
        }
        let usage: Option<Usage> = counted(account, at, money, is_shown)?;
        Ok(usage.map(|usage| moving::counts(account, usage)))
    };
    let usages = [
        usage(debtor, &entries[0], is_shown[0])?,
        usage(creditor, &entries[1], is_shown[1])?,
    ];
    Ok(Booked {
        terms,
        entries,
        is_shown,
        usages,
    })
}

/// A value date that is kept with the postings: one that is not the day of the request.
pub(super) fn kept_date(at: At, date: Option<NaiveDate>) -> Option<NaiveDate> {
    date.filter(|date| at.rules.carry_value_date_and_metadata() && *date != at.day())
}

fn settled(at: At, client: &ClientId, request: &PaymentRequest, booked: &Booked) -> PaymentAnswer {
    let Booked {
        terms,
        entries,
        is_shown,
        usages: _,
    } = booked;
    let value_date = terms.effective_date.unwrap_or_else(|| at.day());
    let has_value_date = at.rules.carry_value_date_and_metadata();
    PaymentAnswer {
        payment_id: Some(request.payment_id),
        status: PaymentStatus::Settled,
        debtor_account: Some(request.debtor_account),
        creditor_account: Some(request.creditor_account),
        amount: Some(terms.money.to_string()),
        currency: Some(request.currency.clone()),
        reference: request.reference.clone(),
        effective_date: has_value_date.then(|| Some(value_date.to_string())),
        metadata: has_value_date.then(|| request.metadata.clone()),
        postings: moving::postings(entries, is_shown),
        ..rejection::blank(at, client.clone())
    }
}
