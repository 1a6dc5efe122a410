//! What the rarer requests of clients have in common: their payment id is used up once, whatever became of it.

use common::kinds::Answer;
use common::kinds::client_request::ClientRequest;
use common::kinds::payment::{PaymentAnswer, PaymentStatus};
use common::reason::Reason;
use common::token::Claims;

use super::Decision;
use super::refusal::Refusal;
use super::repeated::asked_before;
use crate::core::at::At;
use crate::core::book::Book;
use crate::core::book::usage::{Postings, UsedPaymentId};
use crate::core::change::Change;
use crate::core::rejection;
use crate::core::verify::Asked;

/// What a request leads to.
pub(super) struct Outcome {
    pub(super) answer: PaymentAnswer,
    /// What can be reversed later.
    pub(super) booked: Option<Postings>,
    /// Besides the payment id that it uses up.
    pub(super) changes: Vec<Change>,
}

/// Answers a request, by what became of the first one with its id or else by `fresh`.
pub(super) fn decide<R: ClientRequest>(
    book: &Book,
    at: At,
    claims: &Claims,
    asked: &Asked<R>,
    fresh: impl FnOnce() -> Result<Outcome, Refusal>,
) -> Decision {
    let client = &claims.client_id;
    let key = (client.clone(), asked.request.id());
    let rejected =
        |reason| rejection::asked(at, client.clone(), Some(&asked.request), reason, false);
    if let Some(first) = book.payments.get(&key) {
        let repeats = rejection::repeating(at, client.clone(), &asked.request);
        let answer = asked_before(first, &asked.content, repeats.amount, rejected);
        return Decision::without_change(Answer::Payment(answer));
    }
    let outcome = fresh().unwrap_or_else(|refusal| Outcome {
        answer: rejected(Reason::from(refusal)),
        booked: None,
        changes: Vec::new(),
    });
    let used = UsedPaymentId {
        request_seq: at.seq,
        item: None,
        content: asked.content,
        status: outcome.answer.status,
        reason: outcome.answer.reason.as_ref().map(|reason| reason.code),
        booked: outcome.booked,
    };
    let mut changes = vec![Change::PaymentIdUsed(key, used)];
    changes.extend(outcome.changes);
    Decision {
        answer: Answer::Payment(outcome.answer),
        changes,
    }
}

/// An answer that repeats the request; what the decision finds is filled in over it.
pub(super) fn answer<R: ClientRequest>(
    at: At,
    claims: &Claims,
    request: &R,
    status: PaymentStatus,
) -> PaymentAnswer {
    PaymentAnswer {
        status,
        ..rejection::repeating(at, claims.client_id.clone(), request)
    }
}
