//! The way of a request into the log: a payment by `POST /payments`, and what is asked about one later.
//!
//! What needs no books is checked here, so that the caller learns of it at once; then the request is published, under
//! the caller's own token, exactly as a producer would publish it over NATS. Nothing is written anywhere else. The
//! payment is asked for from the broker's acknowledgement on, and not before, wherever this process dies. Sending the
//! same request again is always safe, since `payment_id` makes it the same payment.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use common::http::caller::Caller;
use common::http::problem::Problem;
use common::ids::{ClientId, PaymentId};
use common::kinds::payment::{PaymentAnswer, PaymentStatus};
use common::message::Outgoing;
use common::reason::{Code, Reason};
use common::service;
use common::service::traces::Span;
use common::wire;
use schemars::JsonSchema;
use serde::Serialize;

use super::answers::{answer_at, wait_for_answer};
use super::keyed::{in_words_of_keys, what_was_sent};
use super::repeated::{There, refused, what_is_there};
use crate::app::App;
use crate::door::Refused;
use crate::idempotency::{Earlier, Known};
use crate::projection::Log;
use crate::request::Submission;

/// Longest `Prefer: wait`, in seconds; a client that asks for more gets this.
const WAIT_SECONDS_MAX: u64 = 30;
/// How long a decided payment may keep its client waiting for the projection, which usually is milliseconds behind.
pub(super) const PROJECTION_WAIT_MAX: Duration = Duration::from_millis(500);

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// The answer to a payment that was taken.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Submitted {
    payment_id: PaymentId,
    /// Its place in the log.
    request_seq: u64,
    /// `pending` until it is decided.
    status: &'static str,
    /// The settlement event, if the caller waited for it, or it was there before.
    #[serde(skip_serializing_if = "Option::is_none")]
    settlement: Option<PaymentAnswer>,
}

/// Takes a request in: checks its form, stores it, and waits for its answer if the caller prefers so.
pub(super) async fn take<R: Submission>(
    app: &App,
    headers: &HeaderMap,
    caller: &Caller<'_>,
    request: R,
) -> Result<Response, Problem> {
    take_with(app, headers, caller, request, IdFrom::Caller).await
}

/// How a request got its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IdFrom {
    /// It names it.
    Caller,
    /// It is made of its `Idempotency-Key`.
    Key,
}

/// As [`take`].
pub(super) async fn take_with<R: Submission>(
    app: &App,
    headers: &HeaderMap,
    caller: &Caller<'_>,
    request: R,
    id_from: IdFrom,
) -> Result<Response, Problem> {
    if let Some(reason) = request.mistake(service::now()) {
        return Err(Problem::rejected(StatusCode::UNPROCESSABLE_ENTITY, &reason));
    }
    let id = request.id();
    let published = publish(app, caller, headers, &request, id_from).await?;
    let wait_seconds = wait_preferred(headers);
    let answer = match (published.answer.clone(), wait_seconds) {
        (Some(answer), _) => Some(*answer),
        (None, Some(seconds)) => {
            let timeout = Duration::from_secs(seconds);
            let answer = wait_for_answer(app, published.request_seq, timeout).await;
            answer.filter(|answer| answer.payment_id == Some(id))
        }
        (None, None) => None,
    };
    if answer.is_some() {
        // So that what is read next does not say "pending" again. Without a database it may.
        let (log, timeout) = (Log::Settlements, PROJECTION_WAIT_MAX);
        app.projection
            .passed(log, published.request_seq, timeout)
            .await;
    }
    let (answer, is_repeated) = match answer {
        Some(answer) => first_answer(app, answer, published.is_repeated).await,
        None => (None, published.is_repeated),
    };
    let mut response = match &answer {
        Some(
            answer @ PaymentAnswer {
                status: PaymentStatus::Rejected,
                ..
            },
        ) if id_from == IdFrom::Key => in_words_of_keys(rejected(answer), id).into_response(),
        Some(
            answer @ PaymentAnswer {
                status: PaymentStatus::Rejected,
                ..
            },
        ) => rejected(answer).into_response(),
        _ => taken(id, &published, answer),
    };
    let added = response.headers_mut();
    if let Some(seconds) = wait_seconds {
        added.extend([preference_applied(seconds)]);
    }
    if is_repeated {
        added.insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// Says that the caller was made to wait as it preferred.
pub(super) fn preference_applied(seconds: u64) -> (HeaderName, HeaderValue) {
    let applied = HeaderValue::try_from(format!("wait={seconds}"));
    (PREFERENCE_APPLIED, applied.expect("digits are allowed"))
}

/// The trace that a request is part of, if it names a valid one.
pub(super) fn traceparent(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(wire::TRACEPARENT)?.to_str().ok()?;
    Some(value).filter(|value| wire::is_traceparent(value))
}

/// A payment that is sent again gets the answer to its first request, however long ago that was.
async fn first_answer(
    app: &App,
    answer: PaymentAnswer,
    is_repeated: bool,
) -> (Option<PaymentAnswer>, bool) {
    let (first, id) = match (&answer.original, answer.payment_id) {
        (Some(original), Some(id)) if answer.status == PaymentStatus::Duplicate => {
            (original.request_seq, id)
        }
        _ => return (Some(answer), is_repeated),
    };
    match answer_at(app, first, id).await {
        Some(first) => (Some(first), true),
        // It is in the log, but can't be read just now: say at least that nothing new was booked.
        None => (Some(answer), true),
    }
}

fn rejected(answer: &PaymentAnswer) -> Problem {
    let id = answer.payment_id.map(|id| id.to_string());
    decided(answer.reason.as_ref())
        .with("payment_id", id)
        .with("request_seq", answer.request_seq)
        .with("payment_status", "rejected")
        .with("may_retry", answer.may_retry)
}

/// What the ledger has decided against, and why.
pub(super) fn decided(reason: Option<&Reason>) -> Problem {
    match reason {
        Some(reason) => Problem::decided(reason),
        None => Problem::decided(&Reason::new(Code::NARR, "the ledger gives no reason")),
    }
}

fn taken(payment_id: PaymentId, published: &Published, answer: Option<PaymentAnswer>) -> Response {
    let (request_seq, status) = match &answer {
        Some(answer) => (answer.request_seq, answer.status.as_str()),
        None => (published.request_seq, "pending"),
    };
    let submitted = Submitted {
        payment_id,
        request_seq,
        status,
        settlement: answer,
    };
    let location = HeaderValue::try_from(format!("/payments/{payment_id}"))
        .expect("a UUID is allowed in a header");
    let mut response = (StatusCode::ACCEPTED, Json(submitted)).into_response();
    response.headers_mut().insert(header::LOCATION, location);
    response
}

/// The body of a request, if it comes as it should and is no longer than its kind.
pub(super) fn json_body(
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
    bytes_max: usize,
) -> Result<Bytes, Problem> {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    if !content_type.trim().eq_ignore_ascii_case("application/json") {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "send the payment as application/json",
        ));
    }
    if headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|value| value != "identity")
    {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "send the payment as it is, without a content encoding",
        ));
    }
    let body = body.map_err(|rejection| Problem::new(rejection.status(), rejection.body_text()))?;
    if body.len() > bytes_max {
        let detail = format!("a body has at most {bytes_max} bytes here");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
    }
    Ok(body)
}

/// The `wait` of RFC 7240 in seconds, as far as we go along with it. What can't be read is ignored, as the RFC asks.
pub(super) fn wait_preferred(headers: &HeaderMap) -> Option<u64> {
    headers
        .get_all("prefer")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split([',', ';']))
        .filter_map(|preference| preference.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("wait"))
        .and_then(|(_, seconds)| {
            let seconds = seconds.trim();
            // A value may stand in quotes.
            let quoted = seconds
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'));
            quoted.unwrap_or(seconds).parse::<u64>().ok()
        })
        .map(|seconds| seconds.min(WAIT_SECONDS_MAX))
}

/// A request that is in the log.
struct Published {
    request_seq: u64,
    /// It was there before.
    is_repeated: bool,
    /// Its answer, if that was there before too.
    answer: Option<Box<PaymentAnswer>>,
}

/// Stores the request in REQUESTS, or finds that it was stored a moment ago.
async fn publish<R: Submission>(
    app: &App,
    caller: &Caller<'_>,
    headers: &HeaderMap,
    request: &R,
    id_from: IdFrom,
) -> Result<Published, Problem> {
    let client_id = &caller.claims().client_id;
    let content = request.content();
    let key = (client_id.clone(), request.id());
    let first = loop {
        let (earlier, request_seq) = match app.recent.begin(key.clone(), content).await {
            Known::First(first) => break first,
            Known::Again(Earlier {
                content,
                request_seq: Some(request_seq),
            }) => (content, request_seq),
            // The earlier one was not stored.
            Known::Again(_) => continue,
        };
        match what_is_there::<R>(app, &key, request_seq, earlier == content).await? {
            There::Same(answer) => {
                return Ok(Published {
                    request_seq,
                    is_repeated: true,
                    answer,
                });
            }
            There::Other => return Err(refused(request.id(), request_seq, true)),
            There::Undecided => return Err(refused(request.id(), request_seq, false)),
            There::Free => app.recent.forget(&key, request_seq),
        }
    };
    if id_from == IdFrom::Key {
        match what_was_sent(app, &key, request).await? {
            Some((request_seq, There::Same(answer))) => {
                first.stored(request_seq);
                return Ok(Published {
                    request_seq,
                    is_repeated: true,
                    answer,
                });
            }
            Some((request_seq, There::Other)) => {
                return Err(refused(request.id(), request_seq, true));
            }
            Some(_) | None => {}
        }
    }
    let token = app.log_token(caller).await?;
    let span = Span::publish(traceparent(headers), request.id());
    let carried = span.traceparent().or(traceparent(headers));
    let message = request.message(client_id, &token, carried);
    let request_seq = store_message(app, client_id, message, span).await?;
    first.stored(request_seq);
    Ok(Published {
        request_seq,
        is_repeated: false,
        answer: None,
    })
}

pub(super) async fn store_message(
    app: &App,
    client: &ClientId,
    message: Outgoing,
    span: Span,
) -> Result<u64, Problem> {
    app.door.store(client, message, span).await.map_err(|refused| match refused {
        Refused::TooMuch(too_much) => Problem::new(StatusCode::TOO_MANY_REQUESTS, too_much.to_string())
            .with_header(header::RETRY_AFTER, HeaderValue::from_static("1")),
        Refused::Broker(_) | Refused::Closed => Problem::unavailable("the broker", &refused).with(
            "hint",
            "the payment may have been stored or not: send it again with the same payment_id, it is never paid twice",
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_read_among_other_preferences_and_has_a_limit() {
        let check = |values: &[&str], expected| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("prefer", value.parse().unwrap());
            }
            assert_eq!(wait_preferred(&headers), expected, "{values:?}");
        };
        check(&[], None);
        check(&["wait=5"], Some(5));
        check(&["wait=\"5\""], Some(5));
        check(&["wait=\"5"], None);
        check(&["respond-async, Wait = 7"], Some(7));
        check(&["respond-async", "wait=0"], Some(0));
        check(&["wait=31"], Some(30));
        check(&["wait=-1"], None);
        check(&["wait=soon"], None);
        check(&["await=5"], None);
    }
}
