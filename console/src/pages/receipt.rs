//! The receipt of one answer: what it proves, who signed it, and the file that anybody can check without the bank.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;

use crate::app::App;
use crate::failure::Failure;
use crate::operator::Operator;
use crate::page::{Frame, html};
use crate::show::{Id, pretty};

#[derive(Template)]
#[template(path = "receipt.html")]
struct ReceiptPage {
    frame: Frame,
    seq: Id,
    /// Where the file is.
    file: String,
    /// Hashes between the answer and the root.
    proof: usize,
    key: String,
    checkpoint: String,
    answer: String,
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    who: Operator,
    Path(seq): Path<u64>,
) -> Result<Response, Failure> {
    let receipt = receipt(&app, &who, seq).await?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let body = text(&receipt["answer"]["body"]);
    Ok(html(&ReceiptPage {
        frame: who.frame("Receipt", "Payments"),
        seq: Id::seq(seq, &who.prefix),
        file: who.prefix.at(&format!("/receipts/{seq}/file")),
        proof: receipt["proof"].as_array().map_or(0, Vec::len),
        key: text(&receipt["key"]),
        checkpoint: text(&receipt["checkpoint"]),
        answer: serde_json::from_str::<Value>(&body).map_or(body, |answer| pretty(&answer)),
    }))
}

/// The file that `quittance audit check-receipt` checks.
pub(super) async fn file(
    State(app): State<Arc<App>>,
    who: Operator,
    Path(seq): Path<u64>,
) -> Result<Response, Failure> {
    let receipt = receipt(&app, &who, seq).await?;
    let name = format!("attachment; filename=\"receipt-{seq}.json\"");
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, format!("{receipt:#}\n")).into_response())
}

async fn receipt(app: &App, who: &Operator, seq: u64) -> Result<Value, Failure> {
    let receipt = app.client.receipt(&who.token, seq).await;
    let receipt = receipt.map_err(|error| Failure::of(error, &who.prefix))?;
    let missing = || {
        let text = format!("There is no receipt for request {seq}: it has no answer.");
        Failure::not_found(text, &who.prefix)
    };
    receipt.ok_or_else(missing)
}
