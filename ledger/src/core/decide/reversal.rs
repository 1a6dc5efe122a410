//! Decides about reversals: what a payment booked is booked back, never more than it booked.

use common::kinds::payment::{PaymentAnswer, PaymentStatus};
use common::kinds::posting::Direction;
use common::kinds::reversal::ReversalRequest;
use common::money::Money;
use common::reason::{Code, Reason};
use common::token::{Claims, Scope};

use super::Decision;
use super::asked::{self, Outcome};
use super::moving::{self, Parties, entry, within_the_token};
use super::refusal::Refusal;
use crate::core::at::At;
use crate::core::book::Book;
use crate::core::book::account::is_above;
use crate::core::book::usage::{Original, PaymentKey};
use crate::core::change::{Change, Reversal};
use crate::core::verify::Asked;

/// Answers a request to book a payment back.
pub(super) fn decide(
    book: &Book,
    at: At,
    claims: &Claims,
    asked: &Asked<ReversalRequest>,
) -> Decision {
    asked::decide(book, at, claims, asked, || {
        reverse(book, at, claims, &asked.request)
    })
}

/// The payment that a reversal names.
pub(crate) fn original_key(claims: &Claims, request: &ReversalRequest) -> PaymentKey {
    let client = request.client_id.as_ref().unwrap_or(&claims.client_id);
    (client.clone(), request.reverses)
}

fn reverse(
    book: &Book,
    at: At,
    claims: &Claims,
    request: &ReversalRequest,
) -> Result<Outcome, Refusal> {
    if let Some(reason) = request.mistake() {
        return Err(Refusal::Terms(reason));
    }
    let key = original_key(claims, request);
    let original = original(book, claims, at, &key)?;
    let moved = original.moved;
    // Money goes back: the account that was paid pays.
    let parties = Parties::of(book, moved.creditor, moved.debtor)?;
    let rest = moved.money.checked_sub(original.reversed);
    let rest = rest.expect("no more was reversed than was booked");
    if rest.amount().is_zero() {
        return Err(Refusal::AllReversed(request.reverses));
    }
    let money = match &request.amount {
        None => rest,
        Some(text) => Money::positive(text, rest.currency())
            .map_err(|error| Refusal::Terms(Reason::new(Code::AM12, error.to_string())))?,
    };
    within_the_token(claims, parties.debtor, money)?;
    parties.take_part(money)?;
    if is_above(money, rest) {
        return Err(Refusal::AboveTheRest { rest, asked: money });
    }
    let is_shown = parties.shown_to(claims, at.rules);
    let Parties { debtor, creditor } = parties;
    let entries = [
        entry(debtor, Direction::Debit, money, is_shown[0], None)?,
        entry(creditor, Direction::Credit, money, is_shown[1], None)?,
    ];
    moving::assert_balanced(&entries);
    let reversed = original.reversed.checked_add(money);
    let reversed = reversed.expect("no more than was booked");
    let remaining = rest.checked_sub(money).expect("it is not above the rest");
    let answer = PaymentAnswer {
        debtor_account: Some(debtor.id),
        creditor_account: Some(creditor.id),
        amount: Some(money.to_string()),
        currency: Some(money.currency().code().to_owned()),
        effective_date: Some(Some(at.day().to_string())),
        remaining: Some(remaining.to_string()),
        postings: moving::postings(&entries, &is_shown),
        ..asked::answer(at, claims, request, PaymentStatus::Reversed)
    };
    let reversal = Reversal {
        of: key,
        original: Original {
            reversed,
            changed_seq: at.seq,
            ..original
        },
        amount: money,
    };
    let mut changes = vec![Change::Reversed(Box::new(reversal))];
    changes.extend(entries.map(Change::Posted));
    Ok(Outcome {
        answer,
        moved: None,
        changes,
    })
}

/// The payment, if this caller may reverse it: the bank may, and whoever owns the account that was paid. To anybody else
/// there is no such payment.
fn original(book: &Book, claims: &Claims, at: At, key: &PaymentKey) -> Result<Original, Refusal> {
    let (client, id) = key;
    let is_bank = claims.allows(Scope::BankOperate);
    let none = || Refusal::NoOriginal(*id);
    let used = book.payments.get(key).ok_or_else(none)?;
    let not_reversible = |what| {
        if is_bank || *client == claims.client_id {
            Refusal::NotReversible(*id, what)
        } else {
            none()
        }
    };
    match used.status {
        PaymentStatus::Settled | PaymentStatus::Captured => {}
        PaymentStatus::Reversed => return Err(not_reversible("a reversal itself")),
        PaymentStatus::Authorised => return Err(not_reversible("a hold, which can be voided")),
        PaymentStatus::Voided => return Err(not_reversible("the void of a hold")),
        PaymentStatus::Rejected | PaymentStatus::Duplicate | PaymentStatus::Expired => {
            return Err(not_reversible("no payment that was booked"));
        }
    }
    // A payment that was booked is known with what it booked; a transaction has no two parties.
    let Some(original) = book.original(key) else {
        return Err(not_reversible(
            "a transaction, which another one takes back",
        ));
    };
    let creditor = book.accounts.get(&original.moved.creditor);
    let creditor = creditor.expect("the accounts of a payment to reverse are loaded");
    if is_bank || creditor.is_owned_by(&claims.sub, at.rules) {
        return Ok(original);
    }
    if *client == claims.client_id {
        return Err(Refusal::NotTheCallers(creditor.id));
    }
    Err(none())
}
