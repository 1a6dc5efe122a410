//! What staff do with an account: freezing and unfreezing a side, closing, setting limits. What the bank answers is shown on the account's page, a refusal with its reason too.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use client::{Control, Done};
use common::kinds::account::{Limits, Side};

use super::accounts::{account_id, page};
use super::people::Outcome;
use crate::app::App;
use crate::failure::Failure;
use crate::fields::Fields;
use crate::operator::Operator;
use crate::prefix::Prefix;
use crate::show::State as Shown;

pub(super) async fn act(
    State(app): State<Arc<App>>,
    who: Operator,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Response, Failure> {
    let id = account_id(&app, &who, &id).await?;
    let (what, control) = asked(&fields, &who.prefix)?;
    let outcome = match control {
        Ok(control) => told(what, app.client.control(&who.token, id, &control).await),
        Err(why) => Outcome {
            what: what.to_owned(),
            state: Shown::new("failed"),
            detail: why,
        },
    };
    page(&app, &who, id, None, vec![outcome]).await
}

/// What a form asks for, or why it can't be asked for.
type Asked = (&'static str, Result<Control, String>);

fn asked(fields: &Fields, prefix: &Prefix) -> Result<Asked, Failure> {
    let side = || match fields.get("side") {
        Some("debit") => Side::Debit,
        Some("credit") => Side::Credit,
        _ => Side::Both,
    };
    Ok(match fields.get("action").unwrap_or_default() {
        "freeze" => ("Freeze", Ok(Control::Freeze(side()))),
        "unfreeze" => ("Unfreeze", Ok(Control::Unfreeze(side()))),
        "close" if fields.get("sure") == Some("yes") => ("Close", Ok(Control::Close)),
        "close" => (
            "Close",
            Err("Closing is for ever. Tick the box to say that this is meant.".to_owned()),
        ),
        "limit" => ("Limits", limits(fields).map(Control::Limit)),
        _ => return Err(Failure::bad_request("There is no such action.", prefix)),
    })
}

fn limits(fields: &Fields) -> Result<Limits, String> {
    let amount = |name: &str| fields.get(name).map(str::to_owned);
    let count = |name: &str| match fields.get(name).map(str::parse) {
        None => Ok(None),
        Some(Ok(count)) => Ok(Some(count)),
        Some(Err(_)) => Err("How many times is a whole number.".to_owned()),
    };
    Ok(Limits {
        overdraft_limit: amount("overdraft_limit"),
        minimum_balance: amount("minimum_balance"),
        maximum_balance: amount("maximum_balance"),
        day_amount_max: amount("day_amount_max"),
        day_count_max: count("day_count_max")?,
        month_amount_max: amount("month_amount_max"),
        month_count_max: count("month_count_max")?,
    })
}

fn told(what: &'static str, answer: client::Result<Done>) -> Outcome {
    let (state, detail) = match answer {
        Ok(done) if done.body["status"] == "pending" => {
            let seq = &done.body["request_seq"];
            (
                "pending",
                format!("It is request {seq} of the log and not decided yet."),
            )
        }
        Ok(done) => {
            let status = done.body["status"].as_str().unwrap_or_default();
            let status = status.replace('_', " ");
            ("ok", format!("The account is {status}."))
        }
        Err(error) if error.is_unknown() => ("failed", error.to_string()),
        Err(error) => ("rejected", error.to_string()),
    };
    Outcome {
        what: what.to_owned(),
        state: Shown::new(state),
        detail,
    }
}
