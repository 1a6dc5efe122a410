//! What staff ask about a payment: capturing a hold of their own, voiding anybody's, reversing. What the bank answers, a
//! refusal with its reason too, is shown on the page of the payment that it is about.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use client::Done;
use common::ids::PaymentId;
use serde_json::{Value, json};

use super::super::people::Outcome;
use super::{missing, page};
use crate::app::App;
use crate::failure::Failure;
use crate::fields::Fields;
use crate::operator::Operator;
use crate::show::State as Shown;

/// It is usually decided within milliseconds.
const WAIT_SECONDS: u64 = 5;

pub(in super::super) async fn act(
    State(app): State<Arc<App>>,
    who: Operator,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Response, Failure> {
    let bad = |why: &str| Failure::bad_request(why, &who.prefix);
    let payment_id: PaymentId = id.parse().map_err(|_| missing(&id, &who.prefix))?;
    let own: Option<PaymentId> = fields.get("payment_id").and_then(|id| id.parse().ok());
    let own = own.ok_or_else(|| bad("The action's own id is none."))?;
    let client_id = fields.get("client_id");
    let amount = fields.get("amount");
    let (what, action, body) = match fields.get("action").unwrap_or_default() {
        "capture" => {
            let is_final = fields.get("final") == Some("yes");
            let body = json!({"payment_id": own, "amount": amount, "final": is_final});
            ("Capture", "capture", body)
        }
        "void" => {
            let body = json!({"payment_id": own, "client_id": client_id});
            ("Void", "void", body)
        }
        "reverse" => {
            let reason = fields.get("reason");
            let body = json!({
                "payment_id": own, "client_id": client_id, "amount": amount, "reason": reason,
            });
            ("Reversal", "reverse", body)
        }
        _ => return Err(bad("There is no such action.")),
    };
    let done = app
        .client
        .act(&who.token, payment_id, action, &body, Some(WAIT_SECONDS))
        .await;
    let (state, detail) = told(done);
    let outcome = Outcome {
        what: what.to_owned(),
        state: Shown::new(&state),
        detail,
    };
    page(&app, &who, payment_id, client_id, vec![outcome]).await
}

/// The state and a sentence.
fn told(answer: client::Result<Done>) -> (String, String) {
    let done = match answer {
        Ok(done) => done,
        Err(error) => {
            let is_refused = error
                .refused()
                .is_some_and(|refused| refused.code().is_some());
            let state = if is_refused { "rejected" } else { "failed" };
            return (state.to_owned(), error.to_string());
        }
    };
    let status = done.body["status"].as_str().unwrap_or_default().to_owned();
    let seq = &done.body["request_seq"];
    let detail = if status == "pending" {
        format!(
            "It is request {seq} of the log and not decided yet. Load this page again to see what became of it."
        )
    } else if done.is_repeated {
        format!("It was done before, by request {seq}. Nothing was done now.")
    } else {
        sentence(&status, &done.body["settlement"])
    };
    (status, detail)
}

fn sentence(status: &str, settlement: &Value) -> String {
    let text = |name: &str| settlement[name].as_str().unwrap_or_default();
    let (amount, remaining, currency) = (text("amount"), text("remaining"), text("currency"));
    match status {
        "captured" => {
            format!("{amount} {currency} is booked; {remaining} {currency} is still held.")
        }
        "voided" => format!("{amount} {currency} is free again."),
        "reversed" if settlement["amount"].is_null() => "All of it is booked back.".to_owned(),
        "reversed" => format!(
            "{amount} {currency} is booked back; {remaining} {currency} can still be reversed."
        ),
        _ => String::new(),
    }
}
