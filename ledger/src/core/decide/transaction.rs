//! Decides about transactions of several postings.

use common::kinds::account::Category;
use common::kinds::payment::{PaymentAnswer, PaymentStatus};
use common::kinds::transaction::TransactionRequest;
use common::token::{Claims, Scope};

use super::Decision;
use super::asked::{self, Outcome};
use super::legs::{Counting, Legs};
use super::payment::kept_date;
use super::refusal::Refusal;
use crate::core::at::At;
use crate::core::book::Book;
use crate::core::book::account::Account;
use crate::core::book::usage::Postings;
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
    let legs = Legs::of(book, terms.legs.iter().copied())?;
    may_book(claims, at, &legs)?;
    let effective_date = kept_date(at, terms.effective_date);
    let booked = legs.book(book, at, claims, effective_date, Counting::Counted)?;
    let value_date = terms.effective_date.unwrap_or_else(|| at.day());
    let answer = PaymentAnswer {
        effective_date: Some(Some(value_date.to_string())),
        postings: booked.postings,
        ..asked::answer(at, claims, request, PaymentStatus::Settled)
    };
    Ok(Outcome {
        answer,
        booked: Some(Postings::Legs(terms.legs.into())),
        changes: booked.changes,
    })
}

/// Customers debit their own accounts, a trusted platform any customer's; only the bank touches the bank's.
fn may_book(claims: &Claims, at: At, legs: &Legs<'_>) -> Result<(), Refusal> {
    if !claims.allows(Scope::BankOperate) {
        let is_customers = |account: &Account| account.category == Category::Liability;
        if !legs.accounts().all(is_customers) {
            return Err(Refusal::OnlyTheBank);
        }
        let is_open_to_all = claims.allows(Scope::PaymentsSubmitAny);
        let strangers = |account: &&Account| !account.is_owned_by(&claims.sub, at.rules);
        let mut debited = legs.debited().map(|(_, account)| account);
        let stranger = debited.find(strangers);
        if let Some(stranger) = stranger.filter(|_| !is_open_to_all) {
            return Err(Refusal::NotTheCallers(stranger.id));
        }
    }
    legs.are_within_the_token(claims)
}
