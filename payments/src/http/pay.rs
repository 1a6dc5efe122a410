//! Paying and holding: `POST /payments`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use common::http::describe::Body;
use common::http::describe::answers::{Problems, Submission};
use common::http::describe::headers::{IdempotencyKey, Trace, Wait};
use common::http::problem::Problem;
use common::ids::{AccountId, PaymentId};
use common::kinds::body::BYTES_MAX;
use common::kinds::hold::HoldRequest;
use common::kinds::payment::PaymentRequest;
use common::reason::{Code, Reason};
use schemars::JsonSchema;
use serde::Deserialize;

use super::keyed;
use super::submit::{IdFrom, Submitted, json_body, take, take_with};
use crate::app::App;
use crate::request::{self, SUBMITTERS};

/// A payment, or with `capture: "manual"` a hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = example())]
pub(super) struct NewPayment {
    /// Chosen by the caller, once per payment: a second request with the same id never pays twice.
    /// May be left out with an `Idempotency-Key`, which then stands for it.
    payment_id: Option<PaymentId>,
    /// The account that pays.
    debtor_account: AccountId,
    /// The account that is paid.
    creditor_account: AccountId,
    /// Above zero, at most 15 digits before the point and the currency's decimals after it.
    #[schemars(regex(pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$"))]
    amount: String,
    /// ISO 4217 code, the same as both accounts'.
    #[schemars(regex(pattern = "^[A-Z]{3}$"))]
    currency: String,
    /// Free text for both parties' statements.
    #[schemars(length(max = 140))]
    reference: Option<String>,
    /// `YYYY-MM-DD`, not after today (UTC).
    #[schemars(extend("format" = "date"))]
    effective_date: Option<String>,
    /// The caller's own notes, carried along and never read.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 20))]
    metadata: BTreeMap<String, String>,
    /// `manual` holds the money until it is captured or voided.
    #[serde(default)]
    capture: CaptureMode,
    /// Of a hold: when it ends by itself, RFC 3339, at most 31 days away.
    #[schemars(extend("format" = "date-time"))]
    expires_at: Option<String>,
}

/// When money moves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum CaptureMode {
    /// At once.
    #[default]
    Automatic,
    /// When it is captured.
    Manual,
}

fn example() -> serde_json::Value {
    serde_json::json!({
        "payment_id": "019a5c3e-7b1a-7c3f-9d43-5b7d3c1f2a10",
        "debtor_account": "01900000-ada0-7000-8000-000000000002",
        "creditor_account": "01900000-96ac-7000-8000-000000000003",
        "amount": "12.50",
        "currency": "EUR",
        "reference": "Lunch",
    })
}

/// Pay, or hold money
///
/// Stores the payment in the log and answers `202` with its place there. It is booked a moment later; with `Prefer: wait=5`
/// the answer comes with the settlement event. Sent again with the same `payment_id` and content it is the same payment,
/// and the answer says `Idempotency-Replayed: true`. Nothing is ever paid twice. With `capture: "manual"` nothing is booked:
/// the money is held until `/payments/{id}/capture` or `/payments/{id}/void`, or until `expires_at`.
///
/// Instead of a `payment_id` an `Idempotency-Key` may be sent: the id is made of it and of the caller, so the same key is the
/// same payment for ever. With another body it is refused with `422`.
#[utoipa::path(
    post,
    path = "/payments",
    tag = "Payments",
    params(IdempotencyKey, Wait, Trace, Body<NewPayment>),
    responses(Submission<202, Submitted>, Problems<409>, Problems<422>, Problems<429>),
    security(("bearer" = ["payments:submit"]), ("bearer" = ["payments:submit-any"]), ("bearer" = ["bank:operate"])),
)]
pub(super) async fn submit(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let caller = app.callers.authorize(&headers, SUBMITTERS).await?;
    let body = json_body(&headers, body, BYTES_MAX)?;
    let of_key = keyed::payment_id(&headers, &caller.claims().client_id)?;
    // Nearly all are plain payments, and those are read once.
    if of_key.is_none()
        && let Ok(payment) = request::read::<PaymentRequest>(&body)
    {
        return take(&app, &headers, &caller, payment).await;
    }
    let id_from = of_key.map_or(IdFrom::Caller, |_| IdFrom::Key);
    let new = new_payment(&body, of_key);
    let taken = match new {
        Ok(New::Hold(hold)) => take_with(&app, &headers, &caller, hold, id_from).await,
        Ok(New::Payment(payment)) => take_with(&app, &headers, &caller, payment, id_from).await,
        Err(mistake) => Err(Problem::rejected(StatusCode::BAD_REQUEST, &mistake)),
    };
    match of_key {
        Some(id) => taken.map_err(|problem| keyed::in_words_of_keys(problem, id)),
        None => taken,
    }
}

/// What a body with more than a payment's fields asks for.
enum New {
    Payment(PaymentRequest),
    Hold(HoldRequest),
}

/// A body that may say when money moves. Its id is its own, or that of its key.
fn new_payment(body: &[u8], of_key: Option<PaymentId>) -> Result<New, Reason> {
    let new = request::read_as(body, |new: &NewPayment| !new.metadata.is_empty())?;
    let payment_id = match (new.payment_id, of_key) {
        (Some(id), None) | (None, Some(id)) => id,
        (Some(_), Some(_)) => {
            let why = "the Idempotency-Key stands for payment_id: send one of them";
            return Err(Reason::new(Code::FF01, why));
        }
        (None, None) => {
            let choosing = "once per payment, so that sending it again never pays twice; or send an Idempotency-Key";
            return Err(request::malformed(&"missing field `payment_id`", choosing));
        }
    };
    let payment = PaymentRequest {
        payment_id,
        debtor_account: new.debtor_account,
        creditor_account: new.creditor_account,
        amount: new.amount,
        currency: new.currency,
        reference: new.reference,
        effective_date: new.effective_date,
        metadata: new.metadata,
    };
    match new.capture {
        CaptureMode::Automatic if new.expires_at.is_some() => Err(Reason::new(
            Code::FF01,
            "only a hold ends: send expires_at with capture \"manual\"",
        )),
        CaptureMode::Automatic => Ok(New::Payment(payment)),
        CaptureMode::Manual => Ok(New::Hold(HoldRequest::of(payment, new.expires_at))),
    }
}
