//! An answer of the log for those whom it concerns: the sender, the bank, and the owner of the other account.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use common::http::describe::answers::{Problems, Reply};
use common::http::problem::Problem;
use common::ids::{AccountId, owner_spelling};
use common::token::{Claims, Scope};
use serde_json::{Map, Value};

use super::app::App;
use crate::receipts::document::AnswerForm;
use crate::receipts::shared::shared_form;
use crate::store::{self, AnsweredRow};

/// Whoever may read anything of the kind; what exactly, the answer tells.
pub(super) const READERS: &[Scope] = &[
    Scope::PaymentsRead,
    Scope::AccountsRead,
    Scope::AuditRead,
    Scope::BankOperate,
];

/// Get the answer to a request
///
/// What the ledger published as the settlement event of request `seq`. The sender of the request and the bank get the whole
/// answer; the owner of the other account of a payment gets it without balances and metadata. Of a batch of payments, and of a
/// transaction of more than two postings, others are shown nothing of each other. A receipt proves that the answer is in the
/// signed log: `/transactions/{seq}/receipt`.
#[utoipa::path(
    get,
    path = "/transactions/{seq}",
    tag = "Receipts",
    params(("seq" = u64, Path, description = "The place of the request in the log, from 1.", example = 1)),
    responses(Reply<200, Map<String, Value>>, Problems<404>),
    security(
        ("bearer" = ["payments:read"]), ("bearer" = ["accounts:read"]), ("bearer" = ["audit:read"]),
        ("bearer" = ["bank:operate"]),
    ),
)]
pub(super) async fn transaction(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    seq: Result<Path<u64>, PathRejection>,
) -> Result<Response, Problem> {
    let caller = app.caller(&headers, READERS).await?;
    let Path(seq) = seq?;
    let (row, form) = shown_to(&app, caller.claims(), seq).await?;
    let json = [(header::CONTENT_TYPE, "application/json")];
    Ok((json, body_in(form, row.body)).into_response())
}

/// The answer to request `seq`, and how much of it a caller may see.
///
/// # Errors
/// 404 when that is nothing, 503 when the database does not answer.
pub(super) async fn shown_to(
    app: &App,
    claims: &Claims,
    seq: u64,
) -> Result<(AnsweredRow, AnswerForm), Problem> {
    if let Some(row) = store::answered(&app.pool, seq).await?
        && let Some(form) = form_for(app, claims, &row).await?
    {
        return Ok((row, form));
    }
    // Somebody else's transaction is as good as none, so that nobody can find out what happened when.
    let nothing = format!("you have no answer {seq} in the log");
    Err(Problem::new(StatusCode::NOT_FOUND, nothing))
}

/// An answer's body, as far as this form shows it.
pub(super) fn body_in(form: AnswerForm, body: Vec<u8>) -> Vec<u8> {
    match form {
        AnswerForm::Full => body,
        AnswerForm::Shared => shared_form(&body),
    }
}

/// How much of an answer a caller may see; `None` for nothing.
async fn form_for(
    app: &App,
    claims: &Claims,
    row: &AnsweredRow,
) -> Result<Option<AnswerForm>, Problem> {
    let is_bank = claims.allows_any(&[Scope::BankOperate, Scope::AuditRead]);
    if is_bank || row.client_id.as_deref() == Some(claims.client_id.as_str()) {
        return Ok(Some(AnswerForm::Full));
    }
    let body: Value = serde_json::from_slice(&row.body).unwrap_or_default();
    let id = |value: &Value| value.as_str().and_then(|text| text.parse().ok());
    let postings = body["postings"].as_array().map_or(&[][..], Vec::as_slice);
    // Of several who are paid together, none shall learn what the others get.
    if postings.len() > 2 {
        return Ok(None);
    }
    // Whoever would have been paid hears of it when it was booked, and not before.
    let accounts: Vec<AccountId> = postings
        .iter()
        .filter_map(|posting| id(&posting["account"]))
        .chain(id(&body["debtor_account"]))
        .collect();
    let owners = [claims.sub.clone(), owner_spelling(&claims.sub).into()];
    let owns = store::owns_one(&app.pool, &accounts, &owners).await?;
    Ok(owns.then_some(AnswerForm::Shared))
}
