//! Decides about reversals: what a payment or transaction booked is booked back, never more than it booked.

use std::sync::Arc;

use common::ids::AccountId;
use common::kinds::account::Category;
use common::kinds::payment::{PaymentAnswer, PaymentStatus};
use common::kinds::posting::Direction;
use common::kinds::reversal::ReversalRequest;
use common::kinds::transaction::Leg;
use common::money::Money;
use common::reason::{Code, Reason};
use common::token::{Claims, Scope};

use super::Decision;
use super::asked::{self, Outcome};
use super::legs::{Counting, Legs};
use super::moving::{self, Parties, entry, within_the_token};
use super::refusal::Refusal;
use crate::core::at::At;
use crate::core::book::Book;
use crate::core::book::account::is_above;
use crate::core::book::usage::{Booking, Moved, Original, PaymentKey};
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

/// The accounts that may pay for a reversal, as far as it names what was booked and these rules can reverse it.
pub(super) fn payers(
    book: &Book,
    at: At,
    claims: &Claims,
    request: &ReversalRequest,
) -> Vec<AccountId> {
    let original = book.original(&original_key(claims, request));
    match original.map(|original| original.booking) {
        Some(Booking::Payment { moved, .. }) => vec![moved.creditor],
        Some(booking @ Booking::Transaction { .. }) if at.rules.reverse_transactions() => {
            booking.accounts()
        }
        Some(Booking::Transaction { .. }) | None => Vec::new(),
    }
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
    let booking = original.booking.clone();
    let reversing = Reversing {
        book,
        at,
        claims,
        request,
        key,
        original,
    };
    match booking {
        Booking::Payment { moved, reversed } => reversing.payment(moved, reversed),
        Booking::Transaction { legs, is_reversed } => reversing.transaction(legs, is_reversed),
    }
}

/// A reversal of what its caller may reverse.
struct Reversing<'b> {
    book: &'b Book,
    at: At,
    claims: &'b Claims,
    request: &'b ReversalRequest,
    key: PaymentKey,
    original: Original,
}

impl Reversing<'_> {
    /// Books back some of a payment, or what is left of it.
    fn payment(self, moved: Moved, before: Money) -> Result<Outcome, Refusal> {
        // Money goes back: the account that was paid pays.
        let parties = Parties::of(self.book, moved.creditor, moved.debtor)?;
        let rest = moved.money.checked_sub(before);
        let rest = rest.expect("no more was reversed than was booked");
        if rest.amount().is_zero() {
            return Err(Refusal::AllReversed(self.request.reverses));
        }
        let money = match &self.request.amount {
            None => rest,
            Some(text) => Money::positive(text, rest.currency())
                .map_err(|error| Refusal::Terms(Reason::new(Code::AM12, error.to_string())))?,
        };
        within_the_token(self.claims, parties.debtor, money)?;
        parties.take_part(money)?;
        if is_above(money, rest) {
            return Err(Refusal::AboveTheRest { rest, asked: money });
        }
        let is_shown = parties.shown_to(self.claims, self.at.rules);
        let Parties { debtor, creditor } = parties;
        let entries = [
            entry(debtor, Direction::Debit, money, is_shown[0], None)?,
            entry(creditor, Direction::Credit, money, is_shown[1], None)?,
        ];
        moving::assert_balanced(&entries);
        let reversed = before.checked_add(money);
        let reversed = reversed.expect("no more than was booked");
        let remaining = rest.checked_sub(money).expect("it is not above the rest");
        let answer = PaymentAnswer {
            debtor_account: Some(debtor.id),
            creditor_account: Some(creditor.id),
            amount: Some(money.to_string()),
            currency: Some(money.currency().code().to_owned()),
            remaining: Some(remaining.to_string()),
            postings: moving::postings(&entries, &is_shown),
            ..self.answer()
        };
        let after = Booking::Payment { moved, reversed };
        let entries = entries.map(Change::Posted);
        Ok(self.outcome(answer, Some(money), after, entries))
    }

    /// Books back a transaction, whole: a part of several postings has no one meaning.
    fn transaction(self, legs: Arc<[Leg]>, is_reversed: bool) -> Result<Outcome, Refusal> {
        if is_reversed {
            return Err(Refusal::AllReversed(self.request.reverses));
        }
        if self.request.amount.is_some() {
            let message = "a transaction is reversed whole, without an amount";
            return Err(Refusal::Terms(Reason::new(Code::AM12, message)));
        }
        let back = legs.iter().map(|leg| Leg {
            direction: leg.direction.opposite(),
            ..*leg
        });
        let back = Legs::of(self.book, back)?;
        back.are_within_the_token(self.claims)?;
        let counting = Counting::NotCounted;
        let booked = back.book(self.book, self.at, self.claims, None, counting)?;
        let answer = PaymentAnswer {
            postings: booked.postings,
            ..self.answer()
        };
        let after = Booking::Transaction {
            legs,
            is_reversed: true,
        };
        Ok(self.outcome(answer, None, after, booked.changes))
    }

    fn answer(&self) -> PaymentAnswer {
        PaymentAnswer {
            effective_date: Some(Some(self.at.day().to_string())),
            ..asked::answer(self.at, self.claims, self.request, PaymentStatus::Reversed)
        }
    }

    /// `after` is how the original stands then.
    fn outcome(
        self,
        answer: PaymentAnswer,
        amount: Option<Money>,
        after: Booking,
        booked: impl IntoIterator<Item = Change>,
    ) -> Outcome {
        let reversal = Reversal {
            of: self.key,
            original: Original {
                booking: after,
                changed_seq: self.at.seq,
                ..self.original
            },
            amount,
        };
        let mut changes = vec![Change::Reversed(Box::new(reversal))];
        changes.extend(booked);
        Outcome {
            answer,
            booked: None,
            changes,
        }
    }
}

/// The payment or transaction, if this caller may reverse it. The bank may, and of a payment whoever owns the account that was
/// paid: a transaction has no one such account. To anybody else there is no such payment.
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
    let original = book.original(key);
    let original = original.expect("what was booked is known with its postings");
    match &original.booking {
        Booking::Payment { moved, .. } => {
            let creditor = book.accounts.get(&moved.creditor);
            let creditor = creditor.expect("the accounts of a payment to reverse are loaded");
            let is_own = creditor.is_owned_by(&claims.sub, at.rules);
            let is_liability = creditor.category == Category::Liability;
            if is_bank || is_own && (is_liability || !at.rules.owners_reverse_on_liabilities_only())
            {
                return Ok(original);
            }
            if *client == claims.client_id {
                return Err(if is_own {
                    Refusal::NoLiability(creditor.id)
                } else {
                    Refusal::NotTheCallers(creditor.id)
                });
            }
            Err(none())
        }
        Booking::Transaction { .. } if !at.rules.reverse_transactions() => Err(not_reversible(
            "a transaction, which another one takes back",
        )),
        Booking::Transaction { .. } if is_bank => Ok(original),
        Booking::Transaction { .. } if *client == claims.client_id => Err(Refusal::OnlyByTheBank),
        Booking::Transaction { .. } => Err(none()),
    }
}
