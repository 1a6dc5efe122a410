//! What is asked about a payment later: capturing or voiding a hold, reversing.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use common::http::describe::Body;
use common::http::describe::answers::{Problems, Submission};
use common::http::describe::headers::{Trace, Wait};
use common::http::problem::Problem;
use common::ids::{ClientId, PaymentId};
use common::kinds::body;
use common::kinds::hold::{CaptureRequest, VoidRequest};
use common::kinds::reversal::ReversalRequest;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::submit::{Submitted, json_body, take};
use crate::app::App;
use crate::request::{self, SUBMITTERS, malformed};

/// A capture of a hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({"payment_id": "019a5c3e-7b1a-7c3f-9d43-5b7d3c1f2a11", "amount": "12.50"}))]
pub(super) struct NewCapture {
    /// Chosen by the caller, once per capture: sent again, nothing is captured twice.
    payment_id: PaymentId,
    /// At most what is still held; all of that when absent.
    #[schemars(regex(pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$"))]
    amount: Option<String>,
    /// Whether what is left of the hold is freed. Otherwise it can still be captured.
    #[serde(default, rename = "final")]
    is_final: bool,
}

/// Capture a hold
///
/// Books what is held, or a part of it. Several captures may follow each other up to what is held.
#[utoipa::path(
    post,
    path = "/payments/{payment_id}/capture",
    tag = "Payments",
    params(("payment_id" = Uuid, Path, description = "The hold.", example = "019a5c3e-7b1a-7c3f-9d43-5b7d3c1f2a0f"), Wait, Trace, Body<NewCapture>),
    responses(Submission<202, Submitted>, Problems<409>, Problems<422>, Problems<429>),
    security(("bearer" = ["payments:submit"]), ("bearer" = ["payments:submit-any"]), ("bearer" = ["bank:operate"])),
)]
pub(super) async fn capture(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    path: Result<Path<PaymentId>, PathRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    act(&app, &headers, path, body, |hold_id, asked: NewCapture| {
        CaptureRequest {
            payment_id: asked.payment_id,
            hold_id,
            amount: asked.amount,
            is_final: asked.is_final,
        }
    })
    .await
}

/// A void of a hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({"payment_id": "019a5c3e-7b1a-7c3f-9d43-5b7d3c1f2a12"}))]
pub(super) struct NewVoid {
    /// Chosen by the caller, once per void.
    payment_id: PaymentId,
    /// Whose hold it is; the caller's when absent. Another's with `bank:operate` only.
    client_id: Option<ClientId>,
}

/// Void a hold
///
/// Frees what is still held. What was captured stays booked.
#[utoipa::path(
    post,
    path = "/payments/{payment_id}/void",
    tag = "Payments",
    params(("payment_id" = Uuid, Path, description = "The hold.", example = "019a5c3e-7b1a-7c3f-9d43-5b7d3c1f2a0f"), Wait, Trace, Body<NewVoid>),
    responses(Submission<202, Submitted>, Problems<409>, Problems<422>, Problems<429>),
    security(("bearer" = ["payments:submit"]), ("bearer" = ["payments:submit-any"]), ("bearer" = ["bank:operate"])),
)]
pub(super) async fn void(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    path: Result<Path<PaymentId>, PathRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    act(&app, &headers, path, body, |hold_id, asked: NewVoid| {
        VoidRequest {
            payment_id: asked.payment_id,
            hold_id,
            client_id: asked.client_id,
        }
    })
    .await
}

/// A reversal of a payment, capture or transaction.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({"payment_id": "019a5c3e-7b1a-7c3f-9d43-5b7d3c1f2a13", "reason": "Paid twice"}))]
pub(super) struct NewReversal {
    /// Chosen by the caller, once per reversal: sent again, nothing is reversed twice.
    payment_id: PaymentId,
    /// Whose payment it is; the caller's when absent.
    client_id: Option<ClientId>,
    /// At most what was not reversed before; all of that when absent, as for a transaction, which is reversed whole.
    #[schemars(regex(pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$"))]
    amount: Option<String>,
    /// Free text for both parties' statements.
    #[schemars(length(max = 140))]
    reason: Option<String>,
}

/// Reverse a payment
///
/// Books it back, in full or in part; its own postings stay. For the bank, and for the owner of the account that was paid, if it is a liability. A
/// transaction is reversed whole, and by the bank only.
#[utoipa::path(
    post,
    path = "/payments/{payment_id}/reverse",
    tag = "Payments",
    params(("payment_id" = Uuid, Path, description = "The payment, capture or transaction.", example = "019a5c3e-7b1a-7c3f-9d43-5b7d3c1f2a10"), Wait, Trace, Body<NewReversal>),
    responses(Submission<202, Submitted>, Problems<409>, Problems<422>, Problems<429>),
    security(("bearer" = ["payments:submit"]), ("bearer" = ["payments:submit-any"]), ("bearer" = ["bank:operate"])),
)]
pub(super) async fn reverse(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    path: Result<Path<PaymentId>, PathRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    act(
        &app,
        &headers,
        path,
        body,
        |reverses, asked: NewReversal| ReversalRequest {
            payment_id: asked.payment_id,
            reverses,
            client_id: asked.client_id,
            amount: asked.amount,
            reason: asked.reason,
        },
    )
    .await
}

/// Takes in what is asked about the hold or payment that the path names.
async fn act<T: DeserializeOwned, R: request::Submission>(
    app: &App,
    headers: &HeaderMap,
    path: Result<Path<PaymentId>, PathRejection>,
    body: Result<Bytes, BytesRejection>,
    make: impl FnOnce(PaymentId, T) -> R,
) -> Result<Response, Problem> {
    let caller = app.callers.authorize(headers, SUBMITTERS).await?;
    let Path(of) = path?;
    let asked = body::read(&json_body(headers, body, body::BYTES_MAX)?).map_err(|error| {
        let choosing = "once, so that sending it again does nothing twice";
        Problem::rejected(StatusCode::BAD_REQUEST, &malformed(&error, choosing))
    })?;
    take(app, headers, &caller, make(of, asked)).await
}
