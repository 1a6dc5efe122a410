//! Transactions of several postings: `POST /transactions`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use common::http::describe::Body;
use common::http::describe::answers::{Problems, Submission};
use common::http::describe::headers::{Trace, Wait};
use common::http::problem::Problem;
use common::kinds::body::RequestBody as _;
use common::kinds::transaction::TransactionRequest;

use super::submit::{Submitted, json_body, take};
use crate::app::App;
use crate::request::{self, SUBMITTERS};

/// Book a transaction
///
/// Two to a hundred postings that sum to zero in each currency: fees, splits, exchanges. All of it is booked, or nothing. It
/// is found where payments are, by its `payment_id`.
#[utoipa::path(
    post,
    path = "/transactions",
    tag = "Payments",
    params(Wait, Trace, Body<TransactionRequest>),
    responses(Submission<202, Submitted>, Problems<409>, Problems<422>, Problems<429>),
    security(("bearer" = ["payments:submit"]), ("bearer" = ["payments:submit-any"]), ("bearer" = ["bank:operate"])),
)]
pub(super) async fn book(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let caller = app.callers.authorize(&headers, SUBMITTERS).await?;
    let body = json_body(&headers, body, TransactionRequest::BYTES_MAX)?;
    let request = request::read::<TransactionRequest>(&body)
        .map_err(|reason| Problem::rejected(StatusCode::BAD_REQUEST, &reason))?;
    take(&app, &headers, &caller, request).await
}
