//! The way of a payment into the log: `POST /payments`.
//!
//! What needs no books is checked here, so that the caller hears of it at once; then the request is published, under
//! the caller's own token, exactly as a producer would publish it over NATS. Nothing is written anywhere else: once the
//! broker has acknowledged, the payment is asked for, and until then it is not, wherever this process dies.
//! Sending the same request again is always safe, since `payment_id` makes it the same payment.

use std::sync::Arc;
use std::time::Duration;

use async_nats::header::NATS_MESSAGE_ID;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use common::broker;
use common::broker::ReadError;
use common::headers::HeaderLines;
use common::http::problem::Problem;
use common::ids::{ClientId, PaymentId};
use common::kinds;
use common::kinds::Answer;
use common::kinds::payment;
use common::kinds::payment::PaymentRequest;
use common::kinds::payment::{PaymentAnswer, PaymentStatus};
use common::message::add_request_headers;
use common::message::{Outgoing, Stored};
use common::reason::{Code, Reason};
use common::service;
use common::token::Scope;
use common::wire;
use common::wire::{REQUESTS, SETTLEMENTS};
use serde::Serialize;

use crate::door::{Place, Refused};
use crate::http::{App, Caller, authorize};
use crate::projection::Log;
use crate::store;

/// Longest `Prefer: wait`, in seconds; who asks for more gets this.
const WAIT_SECONDS_MAX: u64 = 30;
/// How long a decided payment may keep its client waiting for the projection, which usually is milliseconds behind.
const PROJECTION_WAIT_MAX: Duration = Duration::from_millis(500);

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// The answer to a payment that was taken.
#[derive(Debug, Serialize)]
struct Submitted {
    payment_id: PaymentId,
    request_seq: u64,
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    settlement: Option<PaymentAnswer>,
}

pub(crate) async fn submit(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let scopes = &[
        Scope::PaymentsSubmit,
        Scope::PaymentsSubmitAny,
        Scope::BankOperate,
    ];
    let caller = authorize(&app, &headers, scopes).await?;
    let request = read(&headers, body)?;
    request
        .terms(service::now())
        .map_err(|reason| Problem::rejected(StatusCode::UNPROCESSABLE_ENTITY, &reason))?;

    let published = publish(&app, &caller, &headers, &request).await?;

    let (payment_id, request_seq) = (request.payment_id, published.request_seq);
    let wait_seconds = wait_preferred(&headers);
    let answer = match wait_seconds {
        Some(seconds) => wait_for_answer(&app, request_seq, Duration::from_secs(seconds)).await,
        None => None,
    };
    if answer.is_some() {
        // So that what is read next does not say "pending" again. Without a database it may.
        let (log, timeout) = (Log::Settlements, PROJECTION_WAIT_MAX);
        app.projection.passed(log, request_seq, timeout).await;
    }
    let applied = wait_seconds.map(|seconds| {
        let value = HeaderValue::try_from(format!("wait={seconds}"));
        value.expect("digits are allowed in a header")
    });
    if let Some(rejection) = answer.as_ref().and_then(rejection) {
        let mut problem = Problem::rejected(rejection_status(rejection.code), &rejection)
            .with("payment_id", payment_id.to_string())
            .with("request_seq", request_seq)
            .with("payment_status", "rejected")
            .with(
                "may_retry",
                answer.as_ref().is_some_and(|answer| answer.may_retry),
            );
        if let Some(applied) = applied {
            problem = problem.with_header(PREFERENCE_APPLIED, applied);
        }
        return Err(problem);
    }
    let status = match &answer {
        Some(answer) => answer.status.as_str().to_owned(),
        None => known_status(&app, &caller, payment_id, &published).await,
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
    if let Some(applied) = applied {
        let headers = response.headers_mut();
        headers.insert(PREFERENCE_APPLIED, applied);
    }
    Ok(response)
}

/// The request in the body, or what is wrong with its form.
fn read(
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<PaymentRequest, Problem> {
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
    let body = body.map_err(|rejection| Problem::new(rejection.status(), rejection.body_text()))?;
    kinds::body::read(&body).map_err(|error| {
        let mut message = error.to_string();
        if message.starts_with("missing field `payment_id`") {
            message += "; choose a UUID (version 7 is recommended) once per payment, \
                        so that sending it again never pays twice";
        }
        Problem::rejected(StatusCode::BAD_REQUEST, &Reason::new(Code::FF01, message))
    })
}

/// The `wait` of RFC 7240 in seconds, as far as we go along with it. What can't be read is ignored, as the RFC asks.
fn wait_preferred(headers: &HeaderMap) -> Option<u64> {
    headers
        .get_all("prefer")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split([',', ';']))
        .filter_map(|preference| preference.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("wait"))
        .and_then(|(_, seconds)| seconds.trim().parse::<u64>().ok())
        .map(|seconds| seconds.min(WAIT_SECONDS_MAX))
}

/// A request that stands in the log.
struct Published {
    request_seq: u64,
    /// It stood there before.
    is_repeated: bool,
}

/// Stores the request in REQUESTS, or finds that the broker has it already.
///
/// The broker recognises a message id for two minutes; after that the ledger still recognises the payment.
async fn publish(
    app: &App,
    caller: &Caller<'_>,
    headers: &HeaderMap,
    request: &PaymentRequest,
) -> Result<Published, Problem> {
    let client_id = &caller.claims().client_id;
    let message_id = format!("{client_id}:{}", request.payment_id);
    let message = message(caller, headers, request, Some(&message_id));
    let ack = store_message(app, message).await?;
    if !ack.is_duplicate {
        return Ok(Published {
            request_seq: ack.sequence,
            is_repeated: false,
        });
    }
    let unavailable = |error: ReadError| Problem::unavailable("the broker", &error);
    let (stored, answer) = tokio::try_join!(
        broker::get(&app.jetstream, REQUESTS, ack.sequence),
        broker::get(&app.jetstream, SETTLEMENTS, ack.sequence),
    )
    .map_err(unavailable)?;
    let is_undecided = answer
        .and_then(|stored| payment_answer(&stored))
        .is_some_and(|answer| answer.may_retry);
    let earlier = stored
        .filter(|stored| stored.subject == payment::subject(client_id))
        .and_then(|stored| kinds::body::read::<PaymentRequest>(&stored.payload).ok());
    match earlier {
        // The ledger has passed over that one, so its payment id is free while the broker still knows its message id.
        Some(_) if is_undecided => store_anew(app, caller, headers, request).await,
        Some(earlier) if earlier.canonical_json(None) == request.canonical_json(None) => {
            Ok(Published {
                request_seq: ack.sequence,
                is_repeated: true,
            })
        }
        Some(earlier) if earlier.payment_id == request.payment_id => {
            let reason = Reason::new(
                Code::AM05,
                "another payment with this payment_id was sent before; choose a new one",
            );
            Err(Problem::rejected(StatusCode::CONFLICT, &reason)
                .with("payment_id", request.payment_id.to_string())
                .with("request_seq", ack.sequence))
        }
        // Producers choose their own message ids over NATS, so this one may have been taken for something else. That
        // must not keep a payment out of the log; without an id it goes in, and the ledger knows payments by themselves.
        Some(_) | None => store_anew(app, caller, headers, request).await,
    }
}

/// Without a message id, so that the broker takes it whatever it has seen before.
async fn store_anew(
    app: &App,
    caller: &Caller<'_>,
    headers: &HeaderMap,
    request: &PaymentRequest,
) -> Result<Published, Problem> {
    let ack = store_message(app, message(caller, headers, request, None)).await?;
    Ok(Published {
        request_seq: ack.sequence,
        is_repeated: false,
    })
}

async fn store_message(app: &App, message: Outgoing) -> Result<Place, Problem> {
    app.door.store(message).await.map_err(|refused| match refused {
        Refused::Full => Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            format!("{refused}; nothing has been stored, send it again"),
        )
        .with_header(header::RETRY_AFTER, HeaderValue::from_static("1")),
        Refused::Broker(_) | Refused::Closed => Problem::unavailable("the broker", &refused).with(
            "hint",
            "the payment may have been stored or not: send it again with the same payment_id, it is never paid twice",
        ),
    })
}

/// The message that a producer would have sent.
fn message(
    caller: &Caller<'_>,
    headers: &HeaderMap,
    request: &PaymentRequest,
    message_id: Option<&str>,
) -> Outgoing {
    let client_id = &caller.claims().client_id;
    let mut out = HeaderLines::with_capacity(caller.token.len() + 300);
    if let Some(message_id) = message_id {
        out.add(NATS_MESSAGE_ID.as_ref(), message_id);
    }
    add_request_headers(
        &mut out,
        caller.token,
        payment::REQUESTED,
        request.payment_id,
        format_args!("/clients/{client_id}"),
    );
    let traceparent = headers
        .get(wire::TRACEPARENT)
        .and_then(|value| value.to_str().ok())
        .filter(|value| wire::is_traceparent(value));
    if let Some(traceparent) = traceparent {
        out.add(wire::TRACEPARENT, traceparent);
    }
    Outgoing {
        subject: payment::subject(client_id),
        headers: out,
        payload: serde_json::to_vec(request)
            .expect("texts and ids are JSON")
            .into(),
    }
}

/// The payment's settlement event, if it comes in time. The request is in the log whatever happens here, so trouble
/// with waiting is no trouble with the payment.
async fn wait_for_answer(app: &App, request_seq: u64, timeout: Duration) -> Option<PaymentAnswer> {
    let answers = app.answers.get()?;
    let waiting = tokio::time::timeout(timeout, answers.wait(request_seq, timeout));
    let stored = match app.stop.run_until_cancelled(waiting).await? {
        Ok(Ok(stored)) => stored?,
        Ok(Err(error)) => {
            tracing::warn!(%error, request_seq, "the answer can't be waited for");
            return None;
        }
        Err(_) => return None,
    };
    let answer = payment_answer(&stored);
    if answer.is_none() {
        tracing::error!(
            request_seq,
            "the answer to a payment is no settlement event"
        );
    }
    answer
}

fn payment_answer(stored: &Stored) -> Option<PaymentAnswer> {
    let ce_type = stored.header(wire::CE_TYPE).unwrap_or_default();
    match Answer::from_json(ce_type, &stored.payload) {
        Ok(Answer::Payment(answer)) => Some(answer),
        Ok(_) | Err(_) => None,
    }
}

fn rejection(answer: &PaymentAnswer) -> Option<Reason> {
    match answer.status {
        PaymentStatus::Rejected => Some(
            (answer.reason.clone())
                .unwrap_or_else(|| Reason::new(Code::NARR, "the ledger gives no reason")),
        ),
        PaymentStatus::Settled | PaymentStatus::Duplicate => None,
    }
}

fn rejection_status(code: Code) -> StatusCode {
    match code {
        Code::AG01 => StatusCode::FORBIDDEN,
        Code::AM05 => StatusCode::CONFLICT,
        Code::AC02
        | Code::AC03
        | Code::AC04
        | Code::AC06
        | Code::AM03
        | Code::AM04
        | Code::AM12
        | Code::FF01
        | Code::DT01
        | Code::NARR => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

/// `pending`, except that of a request which stood in the log before more may be known.
async fn known_status(
    app: &App,
    caller: &Caller<'_>,
    payment_id: PaymentId,
    published: &Published,
) -> String {
    let known = if published.is_repeated {
        status_of(app, &caller.claims().client_id, payment_id).await
    } else {
        None
    };
    known
        .filter(|row| u64::try_from(row.request_seq) == Ok(published.request_seq))
        .map_or_else(|| "pending".to_owned(), |row| row.status)
}

/// The projection may be away or behind; then the payment is pending as far as we know.
async fn status_of(app: &App, client_id: &ClientId, payment_id: PaymentId) -> Option<store::Row> {
    let mut db = app.pool.acquire().await.ok()?;
    store::payment(&mut db, client_id, payment_id).await.ok()?
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
        check(&["respond-async, Wait = 7"], Some(7));
        check(&["respond-async", "wait=0"], Some(0));
        check(&["wait=31"], Some(30));
        check(&["wait=-1"], None);
        check(&["wait=soon"], None);
        check(&["await=5"], None);
    }
}
