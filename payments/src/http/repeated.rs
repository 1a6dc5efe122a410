//! A payment id that this process has seen before: what stands at its place in the log, and what that means.

use std::time::Duration;

use common::broker::{self, ReadError};
use common::http::problem::Problem;
use common::ids::PaymentId;
use common::kinds::body;
use common::kinds::client_request::ClientRequest;
use common::kinds::payment::PaymentAnswer;
use common::message::Stored;
use common::reason::{Code, Reason};
use common::wire::REQUESTS;

use super::answers::{answer_at, wait_for_answer};
use crate::app::App;
use crate::idempotency::PaymentKey;

/// How long a request with other content waits for the answer to the first, which usually is there in milliseconds.
const ANSWER_WAIT_MAX: Duration = Duration::from_millis(500);

/// What an earlier submission means for one with the same payment id.
pub(super) enum There {
    /// It asks for the same, so its answer, which may not be there yet, is the answer.
    Same(Option<Box<PaymentAnswer>>),
    /// It asks for something else, and its answer used the id up.
    Other,
    /// It asks for something else, and nobody knows yet which of the two has the id.
    Undecided,
    /// It does not stand in the way: it left the id free, the ledger can tell, or the log is another one.
    Free,
}

/// Looks at the place in the log that is remembered for a payment.
pub(super) async fn what_is_there<R: ClientRequest>(
    app: &App,
    key: &PaymentKey,
    request_seq: u64,
    is_same: bool,
) -> Result<There, Problem> {
    let answer = match answer_at(app, request_seq, key.1).await {
        Some(answer) => Some(answer),
        // The one question that takes an answer: which payment has the id?
        None if !is_same => wait_for_answer(app, request_seq, ANSWER_WAIT_MAX).await,
        None => None,
    };
    let Some(answer) = answer else {
        let unavailable = |error| Problem::unavailable("the broker", &error);
        let stored = broker::get(&app.jetstream, REQUESTS, request_seq).await;
        let stored = stored.map_err(|error: ReadError| unavailable(error))?;
        let is_there = stored.is_some_and(|stored| is_request_of::<R>(&stored, key));
        return Ok(match (is_there, is_same) {
            (false, _) => There::Free,
            (true, true) => There::Same(None),
            (true, false) => There::Undecided,
        });
    };
    let is_its = answer.client_id == key.0 && answer.payment_id == Some(key.1);
    Ok(match (is_its && !answer.may_retry, is_same) {
        (true, true) => There::Same(Some(Box::new(answer))),
        (true, false) if answer.original.is_none() => There::Other,
        // It was itself refused for another payment's sake: the ledger knows which one that is.
        (true, false) | (false, _) => There::Free,
    })
}

fn is_request_of<R: ClientRequest>(stored: &Stored, (client, id): &PaymentKey) -> bool {
    stored.subject == R::subject(client)
        && body::read::<R>(&stored.payload).is_ok_and(|request| request.id() == *id)
}

/// The rejection of a request whose id another one has, or may have.
pub(super) fn refused(id: PaymentId, request_seq: u64, is_decided: bool) -> Problem {
    let message = if is_decided {
        "another payment with this payment_id was sent before; choose a new one"
    } else {
        "another payment with this payment_id was sent a moment ago and is not decided yet; look at it before you choose \
         a new one"
    };
    Problem::decided(&Reason::new(Code::AM05, message))
        .with("payment_id", id.to_string())
        .with("request_seq", request_seq)
}
