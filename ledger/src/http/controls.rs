//! Controls of accounts: freezing, unfreezing, closing, limits. All of it goes through the log, like opening.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use common::account_number::AccountName;
use common::http::describe::Body;
use common::http::describe::answers::{Located, Problems, Reply};
use common::http::problem::Problem;
use common::ids::AccountId;
use common::kinds::account::{AccountRequest, CloseAccount, Freeze, Limit, Limits, Side};
use common::token::Scope;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::accounts::{self, Account, Decided, PendingAccount};
use super::app::App;

const CONTROLLERS: &[Scope] = &[Scope::BankOperate];

/// Which side of an account.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({"side": "debit"}))]
pub(super) struct Sided {
    /// Both when absent.
    #[serde(default)]
    side: Side,
}

/// Freeze an account
///
/// Blocks debits, credits or both, until they are unfrozen. What is held can be voided, not captured. Sent again it changes
/// nothing.
#[utoipa::path(
    post,
    path = "/accounts/{id}/freeze",
    tag = "Accounts",
    params(("id" = String, Path, description = "The account: its id or its number.", example = "01900000-ada0-7000-8000-000000000002"), Body<Sided>),
    responses(Reply<200, Account>, Located<202, PendingAccount>, Problems<404>, Problems<422>),
    security(("bearer" = ["bank:operate"])),
)]
pub(super) async fn freeze(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    id: Result<Path<AccountName>, PathRejection>,
    body: Result<Json<Sided>, JsonRejection>,
) -> Result<Response, Problem> {
    let (name, side) = (id?.0, body?.0.side);
    let freeze = |account_id| AccountRequest::Freeze(Freeze { account_id, side });
    control(&app, &headers, name, freeze).await
}

/// Unfreeze an account
///
/// Ends a freeze, of one side or of both.
#[utoipa::path(
    post,
    path = "/accounts/{id}/unfreeze",
    tag = "Accounts",
    params(("id" = String, Path, description = "The account: its id or its number.", example = "01900000-ada0-7000-8000-000000000002"), Body<Sided>),
    responses(Reply<200, Account>, Located<202, PendingAccount>, Problems<404>, Problems<422>),
    security(("bearer" = ["bank:operate"])),
)]
pub(super) async fn unfreeze(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    id: Result<Path<AccountName>, PathRejection>,
    body: Result<Json<Sided>, JsonRejection>,
) -> Result<Response, Problem> {
    let (name, side) = (id?.0, body?.0.side);
    let unfreeze = |account_id| AccountRequest::Unfreeze(Freeze { account_id, side });
    control(&app, &headers, name, unfreeze).await
}

/// Close an account
///
/// For ever, and only at a balance of zero and without holds.
#[utoipa::path(
    post,
    path = "/accounts/{id}/close",
    tag = "Accounts",
    params(("id" = String, Path, description = "The account: its id or its number.", example = "01900000-ada0-7000-8000-000000000002")),
    responses(Reply<200, Account>, Located<202, PendingAccount>, Problems<404>, Problems<422>),
    security(("bearer" = ["bank:operate"])),
)]
pub(super) async fn close(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    id: Result<Path<AccountName>, PathRejection>,
) -> Result<Response, Problem> {
    let close = |account_id| AccountRequest::Close(CloseAccount { account_id });
    control(&app, &headers, id?.0, close).await
}

/// Set an account's limits
///
/// All of them at once: what the body does not name is no limit any more, and without `overdraft_limit` there is no
/// overdraft. A limit below what the account uses at present is refused.
#[utoipa::path(
    put,
    path = "/accounts/{id}/limits",
    tag = "Accounts",
    params(("id" = String, Path, description = "The account: its id or its number.", example = "01900000-ada0-7000-8000-000000000002"), Body<Limits>),
    responses(Reply<200, Account>, Located<202, PendingAccount>, Problems<404>, Problems<422>),
    security(("bearer" = ["bank:operate"])),
)]
pub(super) async fn limit(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    id: Result<Path<AccountName>, PathRejection>,
    body: Result<Json<Map<String, Value>>, JsonRejection>,
) -> Result<Response, Problem> {
    let (name, Json(body)) = (id?.0, body?);
    // As an object first: with nothing but optional fields, a list would be read as limits too.
    let limits: Limits = serde_json::from_value(Value::Object(body))
        .map_err(|error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))?;
    let limit = |account_id| AccountRequest::Limit(Limit { account_id, limits });
    control(&app, &headers, name, limit).await
}

async fn control(
    app: &App,
    headers: &HeaderMap,
    name: AccountName,
    request: impl FnOnce(AccountId) -> AccountRequest,
) -> Result<Response, Problem> {
    let caller = app.caller(headers, CONTROLLERS).await?;
    let Some(account) = accounts::find(app, name).await? else {
        let message = format!("there is no account {name}");
        return Err(Problem::new(StatusCode::NOT_FOUND, message));
    };
    let id = account.id;
    match accounts::ask(app, &caller, &request(id)).await? {
        Decided::Pending(pending) => Ok(pending.into_response()),
        Decided::Answered(_) => {
            let account = accounts::known(app, id).await?;
            Ok(Json(account).into_response())
        }
    }
}
