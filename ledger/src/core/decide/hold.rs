//! Decides about holds: authorising, capturing, voiding, and their end by time.

use common::ids::ClientId;
use common::kinds::Answer;
use common::kinds::expiry::AnnounceExpiry;
use common::kinds::hold::{CaptureRequest, HoldRequest, VoidRequest};
use common::kinds::payment::{PaymentAnswer, PaymentStatus, Terms};
use common::kinds::posting::Direction;
use common::money::Money;
use common::reason::{Code, Reason};
use common::timestamp;
use common::token::{Claims, Scope};

use super::Decision;
use super::asked::{self, Outcome};
use super::moving::{
    self, Parties, counted, entry, leaves, may_debit, may_pay, refused, with_usage,
    within_the_token,
};
use super::refusal::Refusal;
use crate::core::at::At;
use crate::core::book::Book;
use crate::core::book::account::{Account, Standing, is_above};
use crate::core::book::hold::{Hold, HoldStatus, Party};
use crate::core::book::usage::{Moved, PaymentKey, Postings};
use crate::core::change::Change;
use crate::core::rejection;
use crate::core::verify::Asked;

/// Answers a request to hold money.
pub(super) fn authorise(
    book: &Book,
    at: At,
    claims: &Claims,
    asked: &Asked<HoldRequest>,
) -> Decision {
    asked::decide(book, at, claims, asked, || {
        hold_money(book, at, claims, &asked.request)
    })
}

fn hold_money(
    book: &Book,
    at: At,
    claims: &Claims,
    request: &HoldRequest,
) -> Result<Outcome, Refusal> {
    let Terms {
        money,
        effective_date,
    } = request
        .payment()
        .terms(at.published_at)
        .map_err(Refusal::Terms)?;
    let expires_at = request
        .expires_at(at.published_at)
        .map_err(Refusal::Terms)?;
    let parties = Parties::of(book, request.debtor_account, request.creditor_account)?;
    may_pay(claims, at.rules, parties)?;
    within_the_token(claims, parties.debtor, money)?;
    parties.take_part(money)?;
    let debtor = parties.debtor;
    if !leaves(debtor, Direction::Debit) {
        return Err(Refusal::GrowsByDebits(debtor.id));
    }
    let [is_shown, _] = parties.shown_to(claims, at.rules);
    let cannot = |cannot| refused(debtor, cannot, money, is_shown);
    debtor.can_spare(money).map_err(cannot)?;
    let usage = counted(debtor, at, money, is_shown)?;
    let standing = with_usage(holding(debtor, money), usage);
    let party = |account: &Account| Party {
        account: account.id,
        account_seq: account.opened_seq,
    };
    let hold = Hold {
        key: (claims.client_id.clone(), request.payment_id),
        seq: at.seq,
        debtor: party(debtor),
        creditor: party(parties.creditor),
        amount: money,
        remaining: money,
        reference: request.reference.clone(),
        status: HoldStatus::Authorised,
        expires_at,
        is_announced: false,
        changed_seq: at.seq,
    };
    let answer = PaymentAnswer {
        amount: Some(money.to_string()),
        effective_date: Some(Some(effective_date.unwrap_or_else(|| at.day()).to_string())),
        expires_at: expires_at.as_ref().map(timestamp::text),
        remaining: Some(money.to_string()),
        ..asked::answer(at, claims, request, PaymentStatus::Authorised)
    };
    Ok(Outcome {
        answer,
        booked: None,
        changes: vec![
            Change::HoldStands(Box::new(hold)),
            Change::AccountStands(debtor.id, Box::new(standing)),
        ],
    })
}

/// An account with this much more held.
fn holding(account: &Account, money: Money) -> Standing {
    let held = account.held.checked_add(money);
    Standing {
        held: held.expect("no more is held than is available, in the account's currency"),
        ..account.standing()
    }
}

/// An account with this much less held.
fn freed(account: &Account, money: Money) -> Standing {
    let held = account.held.checked_sub(money);
    let held = held.expect("what a hold frees was held, in the account's currency");
    assert!(
        !held.is_negative(),
        "account {} would hold less than nothing",
        account.id
    );
    Standing {
        held,
        ..account.standing()
    }
}

/// Answers a request to book a hold, or a part of it.
pub(super) fn capture(
    book: &Book,
    at: At,
    claims: &Claims,
    asked: &Asked<CaptureRequest>,
) -> Decision {
    asked::decide(book, at, claims, asked, || {
        capture_hold(book, at, claims, &asked.request)
    })
}

fn capture_hold(
    book: &Book,
    at: At,
    claims: &Claims,
    request: &CaptureRequest,
) -> Result<Outcome, Refusal> {
    let key = (claims.client_id.clone(), request.hold_id);
    let hold = book
        .holds
        .get(&key)
        .ok_or(Refusal::NoHold(request.hold_id))?;
    let money = match &request.amount {
        None => hold.remaining,
        Some(text) => Money::positive(text, hold.amount.currency())
            .map_err(|error| Refusal::Terms(Reason::new(Code::AM12, error.to_string())))?,
    };
    let parties = Parties::of(book, hold.debtor.account, hold.creditor.account)?;
    may_pay(claims, at.rules, parties)?;
    if hold.status != HoldStatus::Authorised {
        return Err(Refusal::HoldHasEnded(request.hold_id, hold.status));
    }
    within_the_token(claims, parties.debtor, money)?;
    parties.take_part(money)?;
    if is_above(money, hold.remaining) {
        return Err(Refusal::AboveTheHold {
            held: hold.remaining,
            asked: money,
        });
    }
    let remaining = hold.remaining.checked_sub(money);
    let remaining = remaining.expect("it is not above what is held");
    let is_over = request.is_final || remaining.amount().is_zero();
    let is_shown = parties.shown_to(claims, at.rules);
    let standing = freed(parties.debtor, if is_over { hold.remaining } else { money });
    let mut debtor = parties.debtor.clone();
    debtor.stand(standing.clone());
    let entries = [
        entry(&debtor, Direction::Debit, money, is_shown[0], None)?,
        entry(
            parties.creditor,
            Direction::Credit,
            money,
            is_shown[1],
            None,
        )?,
    ];
    moving::assert_balanced(&entries);
    let status = if is_over {
        HoldStatus::Captured
    } else {
        HoldStatus::Authorised
    };
    let after = Hold {
        remaining,
        ..hold.clone().now(status, at.seq)
    };
    let answer = PaymentAnswer {
        debtor_account: Some(debtor.id),
        creditor_account: Some(parties.creditor.id),
        amount: Some(money.to_string()),
        currency: Some(money.currency().code().to_owned()),
        reference: hold.reference.clone(),
        effective_date: Some(Some(at.day().to_string())),
        remaining: Some(
            if is_over {
                Money::zero(money.currency())
            } else {
                remaining
            }
            .to_string(),
        ),
        postings: moving::postings(&entries, &is_shown),
        ..asked::answer(at, claims, request, PaymentStatus::Captured)
    };
    let mut changes = vec![
        Change::HoldStands(Box::new(after)),
        Change::AccountStands(debtor.id, Box::new(standing)),
    ];
    changes.extend(entries.map(Change::Posted));
    Ok(Outcome {
        answer,
        booked: Some(Postings::Pair(Moved {
            debtor: debtor.id,
            creditor: parties.creditor.id,
            money,
        })),
        changes,
    })
}

/// Answers a request to free what is still held.
pub(super) fn void(book: &Book, at: At, claims: &Claims, asked: &Asked<VoidRequest>) -> Decision {
    asked::decide(book, at, claims, asked, || {
        void_hold(book, at, claims, &asked.request)
    })
}

fn void_hold(
    book: &Book,
    at: At,
    claims: &Claims,
    request: &VoidRequest,
) -> Result<Outcome, Refusal> {
    let key = void_key(claims, request);
    if key.0 != claims.client_id && !claims.allows(Scope::BankOperate) {
        return Err(Refusal::AnothersHold);
    }
    let hold = book
        .holds
        .get(&key)
        .ok_or(Refusal::NoHold(request.hold_id))?;
    let parties = Parties::of(book, hold.debtor.account, hold.creditor.account)?;
    may_pay(claims, at.rules, parties)?;
    may_debit(claims, parties.debtor)?;
    if hold.status != HoldStatus::Authorised {
        return Err(Refusal::HoldHasEnded(request.hold_id, hold.status));
    }
    let answer = PaymentAnswer {
        debtor_account: Some(hold.debtor.account),
        creditor_account: Some(hold.creditor.account),
        amount: Some(hold.remaining.to_string()),
        currency: Some(hold.amount.currency().code().to_owned()),
        reference: hold.reference.clone(),
        remaining: Some(Money::zero(hold.amount.currency()).to_string()),
        ..asked::answer(at, claims, request, PaymentStatus::Voided)
    };
    Ok(Outcome {
        answer,
        booked: None,
        changes: ended(hold, parties.debtor, HoldStatus::Voided, at),
    })
}

/// The hold that a void names.
pub(crate) fn void_key(claims: &Claims, request: &VoidRequest) -> PaymentKey {
    let client = request.client_id.as_ref().unwrap_or(&claims.client_id);
    (client.clone(), request.hold_id)
}

/// A hold ends, and what is left of it is free again.
fn ended(hold: &Hold, debtor: &Account, status: HoldStatus, at: At) -> Vec<Change> {
    vec![
        Change::HoldStands(Box::new(hold.clone().now(status, at.seq))),
        Change::AccountStands(debtor.id, Box::new(freed(debtor, hold.remaining))),
    ]
}

/// Ends the first hold of this account that is due, if one is.
pub(super) fn end_one_due(book: &Book, at: At, account: &Account) -> Option<Vec<Change>> {
    let due = book.holds.first_due(account.id, at.published_at)?;
    Some(ended(due, account, HoldStatus::Expired, at))
}

/// Answers an announcement that a hold has ended by time.
pub(super) fn announce_expiry(book: &Book, at: At, request: &AnnounceExpiry) -> Decision {
    let key = (request.client_id.clone(), request.hold_id);
    let rejected = |refusal: Refusal| {
        let reason = Reason::from(refusal);
        Decision::without_change(Answer::Payment(rejection::expiry(
            at,
            Some(request),
            reason,
        )))
    };
    let Some(hold) = book.holds.get(&key) else {
        return rejected(Refusal::NoHold(request.hold_id));
    };
    match hold.status {
        HoldStatus::Authorised => rejected(Refusal::Terms(Reason::new(
            Code::DT01,
            format!("hold {} has not ended yet", request.hold_id),
        ))),
        HoldStatus::Captured | HoldStatus::Voided => {
            rejected(Refusal::HoldHasEnded(request.hold_id, hold.status))
        }
        HoldStatus::Expired => {
            let status = if hold.is_announced {
                PaymentStatus::Duplicate
            } else {
                PaymentStatus::Expired
            };
            let announced = Hold {
                is_announced: true,
                ..hold.clone().now(HoldStatus::Expired, at.seq)
            };
            let change = Change::HoldStands(Box::new(announced));
            Decision {
                answer: Answer::Payment(expired(at, hold, status, request.client_id.clone())),
                changes: (!hold.is_announced).then_some(change).into_iter().collect(),
            }
        }
    }
}

fn expired(at: At, hold: &Hold, status: PaymentStatus, client: ClientId) -> PaymentAnswer {
    PaymentAnswer {
        payment_id: Some(hold.key.1),
        status,
        debtor_account: Some(hold.debtor.account),
        creditor_account: Some(hold.creditor.account),
        amount: Some(hold.remaining.to_string()),
        currency: Some(hold.amount.currency().code().to_owned()),
        reference: hold.reference.clone(),
        expires_at: hold.expires_at.as_ref().map(timestamp::text),
        remaining: Some(Money::zero(hold.amount.currency()).to_string()),
        ..rejection::blank(at, client)
    }
}
