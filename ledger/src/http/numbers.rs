//! From an account's number to its id.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use common::account_number::{AccountName, AccountNumber};
use common::http::describe::answers::{Problems, Reply};
use common::http::problem::Problem;
use common::ids::AccountId;
use common::token::Scope;
use schemars::JsonSchema;
use serde::Serialize;

use super::accounts;
use super::app::App;

/// Whoever pays or looks at accounts.
const CALLERS: &[Scope] = &[
    Scope::AccountsRead,
    Scope::PaymentsSubmit,
    Scope::PaymentsSubmitAny,
    Scope::BankOperate,
];

/// What a number stands for.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Numbered {
    account_number: AccountNumber,
    account_id: AccountId,
}

/// Find an account by its number
///
/// A number is handed out so that others can pay: it leads everybody who may pay to the account's id, and says nothing else
/// of the account. A number whose check digits do not fit is `400`.
#[utoipa::path(
    get,
    path = "/account-numbers/{number}",
    tag = "Accounts",
    params(("number" = String, Path, description = "The number, with or without spaces.", example = "QT14000000000002")),
    responses(Reply<200, Numbered>, Problems<404>),
    security(("bearer" = ["accounts:read"]), ("bearer" = ["payments:submit"]), ("bearer" = ["payments:submit-any"]), ("bearer" = ["bank:operate"])),
)]
pub(super) async fn find(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    number: Result<Path<AccountNumber>, PathRejection>,
) -> Result<Json<Numbered>, Problem> {
    app.caller(&headers, CALLERS).await?;
    let number = number?.0;
    let account = accounts::find(&app, AccountName::Number(number)).await?;
    let account = account.ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            format!("there is no account {number}"),
        )
    })?;
    Ok(Json(Numbered {
        account_number: number,
        account_id: account.id,
    }))
}
