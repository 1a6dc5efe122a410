//! Accounts: opening one and looking at them.
//!
//! Nothing is changed here. `POST /accounts` publishes a request under the caller's own token and waits for its answer,
//! so opening an account is in the log, like everything that changes the books.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use common::account_number::{AccountName, AccountNumber};
use common::http::ask::Asked;
use common::http::caller::Caller;
use common::http::describe::answers::{Located, Problems, Reply};
use common::http::describe::{Body, Of};
use common::http::page::{self, Page};
use common::http::problem::Problem;
use common::ids::{AccountId, owner_spelling};
use common::kinds::Answer;
use common::kinds::account::{AccountRequest, AccountStatus, Category, Limits, OpenAccount};
use common::kinds::metadata::METADATA_KEYS_MAX;
use common::reason::{Code, Reason};
use common::token::Scope;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::app::App;
use crate::core::book::account::{Account as Booked, Status};
use crate::core::rules::Rules;
use crate::store;

/// How long `POST /accounts` waits for the ledger's answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Accounts in a list, unless asked for otherwise.
const ROWS_DEFAULT: u32 = 100;

const WRITERS: &[Scope] = &[Scope::AccountsWrite, Scope::BankOperate];
pub(super) const READERS: &[Scope] = &[Scope::AccountsRead, Scope::BankOperate];

/// As [`OpenAccount`], but what can be left to us may be left out.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({"currency": "EUR", "name": "Savings"}))]
pub(super) struct NewAccount {
    /// A new one when absent.
    account_id: Option<AccountId>,
    /// The caller when absent.
    #[schemars(length(min = 1, max = 128))]
    owner: Option<String>,
    /// ISO 4217 code.
    #[schemars(regex(pattern = "^[A-Z]{3}$"))]
    currency: String,
    #[serde(default)]
    category: Category,
    /// For people.
    #[schemars(length(max = 140))]
    name: Option<String>,
    #[schemars(regex(pattern = r"^[0-9]{1,15}(\.[0-9]{1,4})?$"))]
    overdraft_limit: Option<String>,
    /// Notes of the bank's own, shown with the account and not interpreted.
    #[serde(default)]
    #[schemars(extend("maxProperties" = METADATA_KEYS_MAX))]
    metadata: BTreeMap<String, String>,
}

/// A request that stands in the log and is not decided yet.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PendingAccount {
    account_id: AccountId,
    request_seq: u64,
    status: Pending,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Pending {
    Pending,
}

/// Open an account
///
/// Puts the request into the log under the caller's own token and waits for the ledger's answer: `201` once the account is
/// open, `200` when this same request opened it before, `202` when the answer takes longer than ten seconds. With the same
/// `account_id` it may be sent again whatever happened.
#[utoipa::path(
    post,
    path = "/accounts",
    tag = "Accounts",
    params(Body<NewAccount>),
    responses(Located<201, Account>, Located<200, Account>, Located<202, PendingAccount>, Problems<409>, Problems<422>),
    security(("bearer" = ["accounts:write"]), ("bearer" = ["bank:operate"])),
)]
pub(super) async fn open(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Result<Json<NewAccount>, JsonRejection>,
) -> Result<Response, Problem> {
    let caller = app.caller(&headers, WRITERS).await?;
    let Json(new) = body?;
    let id = new.account_id.unwrap_or_else(|| AccountId(Uuid::now_v7()));
    // With this id it can be repeated, and opens no second account, whatever became of this one.
    let with_id = |problem: Problem| problem.with("account_id", id.to_string());
    let owner = match &new.owner {
        Some(owner) => app.owners.known(&caller, owner).await.map_err(with_id)?,
        None => caller.claims().sub.clone(),
    };
    let request = AccountRequest::Open(OpenAccount {
        account_id: id,
        owner,
        currency: new.currency,
        category: new.category,
        name: new.name,
        overdraft_limit: new.overdraft_limit,
        metadata: (!new.metadata.is_empty()).then_some(new.metadata),
    });
    match ask(&app, &caller, &request).await.map_err(with_id)? {
        Decided::Pending(pending) => Ok(pending.into_response()),
        Decided::Answered(status) => {
            let status = if status == AccountStatus::Opened {
                StatusCode::CREATED
            } else {
                StatusCode::OK
            };
            let account = known(&app, id).await.map_err(with_id)?;
            Ok((status, location(id), Json(account)).into_response())
        }
    }
}

/// What became of an account request.
pub(super) enum Decided {
    /// It was granted, now or before.
    Answered(AccountStatus),
    /// It is in the log, so it will be decided: that is not an error.
    Pending(Undecided),
}

/// `202`, with where the account will be found.
pub(super) type Undecided = (StatusCode, [(HeaderName, String); 1], Json<PendingAccount>);

/// Puts an account request into the log under the caller's own token, and waits for the ledger's answer.
///
/// # Errors
/// The ledger's rejection, or 503.
pub(super) async fn ask(
    app: &App,
    caller: &Caller<'_>,
    request: &AccountRequest,
) -> Result<Decided, Problem> {
    let id = request.account_id();
    let token = app.log_token(caller).await?;
    let message = request.message(&caller.claims().client_id, &token);
    let Asked {
        request_seq,
        answer,
    } = app.asking.ask(message, ANSWER_TIMEOUT).await?;
    match answer {
        Some(Answer::Account(answer)) if answer.status == AccountStatus::Rejected => {
            let reason = answer
                .reason
                .unwrap_or_else(|| Reason::new(Code::NARR, "rejected"));
            Err(Problem::decided(&reason).with("request_seq", answer.request_seq))
        }
        Some(Answer::Account(answer)) => Ok(Decided::Answered(answer.status)),
        Some(_) => Err(Problem::unavailable(
            "the ledger",
            &"an answer that is no account's",
        )),
        None => {
            let pending = PendingAccount {
                account_id: id,
                request_seq,
                status: Pending::Pending,
            };
            Ok(Decided::Pending((
                StatusCode::ACCEPTED,
                location(id),
                Json(pending),
            )))
        }
    }
}

/// An account, whoever asks.
///
/// # Errors
/// The database does not answer.
pub(super) async fn find(app: &App, name: AccountName) -> Result<Option<Booked>, Problem> {
    Ok(match name {
        AccountName::Id(id) => store::accounts(&app.pool, &[id]).await?.remove(&id),
        AccountName::Number(number) => {
            store::account_opened_by(&app.pool, number.opened_seq()).await?
        }
    })
}

/// An account of which the ledger has just spoken.
///
/// # Errors
/// The database does not answer.
pub(super) async fn known(app: &App, id: AccountId) -> Result<Account, Problem> {
    let account = find(app, id.into()).await?;
    let account = account
        .ok_or_else(|| Problem::unavailable("the ledger", &"an opened account is not there"))?;
    Ok(Account::from(&account))
}

fn location(id: AccountId) -> [(HeaderName, String); 1] {
    [(header::LOCATION, format!("/accounts/{id}"))]
}

/// An account with its three balances, as decimal texts.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Account {
    account_id: AccountId,
    /// Its number for people, with check digits as an IBAN has them. Paths take it instead of the id.
    account_number: AccountNumber,
    /// The `sub` of the tokens that may pay from it.
    owner: String,
    name: Option<String>,
    currency: String,
    category: Category,
    status: Status,
    /// Sum of all postings, on the normal side.
    posted: String,
    /// Reserved by authorised holds.
    held: String,
    /// Posted − held + overdraft limit.
    available: String,
    overdraft_limit: String,
    /// Its limits; empty for nearly all accounts.
    limits: Limits,
    /// What whoever opened it noted; absent when there is nothing.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
    /// The request that opened it.
    opened_seq: u64,
}

impl From<&Booked> for Account {
    fn from(account: &Booked) -> Self {
        Self {
            account_id: account.id,
            account_number: account.number(),
            owner: account.owner.clone(),
            name: account.name.clone(),
            currency: account.posted.currency().code().to_owned(),
            category: account.category,
            status: account.status,
            posted: account.posted.to_string(),
            held: account.held.to_string(),
            available: account.available().to_string(),
            overdraft_limit: account.overdraft_limit.to_string(),
            limits: account.standing().limits(),
            metadata: account.metadata.clone(),
            opened_seq: account.opened_seq,
        }
    }
}

/// Show an account
///
/// One of the caller's own, or with `bank:operate` anybody's.
#[utoipa::path(
    get,
    path = "/accounts/{id}",
    tag = "Accounts",
    params(("id" = String, Path, description = "The account: its id or its number.", example = "01900000-ada0-7000-8000-000000000002")),
    responses(Reply<200, Account>, Problems<404>),
    security(("bearer" = ["accounts:read"]), ("bearer" = ["bank:operate"])),
)]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    id: Result<Path<AccountName>, PathRejection>,
) -> Result<Response, Problem> {
    let account = seen(&app, &headers, id).await?;
    Ok(Json(Account::from(&account)).into_response())
}

/// The account of this id, if the caller may see it.
///
/// # Errors
/// 401, 403, 404.
pub(super) async fn seen(
    app: &App,
    headers: &HeaderMap,
    id: Result<Path<AccountName>, PathRejection>,
) -> Result<Booked, Problem> {
    let caller = app.caller(headers, READERS).await?;
    seen_by(app, &caller, id?.0).await
}

/// As [`seen`], for a caller who may read accounts.
///
/// # Errors
/// 404.
pub(super) async fn seen_by(
    app: &App,
    caller: &Caller<'_>,
    name: AccountName,
) -> Result<Booked, Problem> {
    let claims = caller.claims();
    // Somebody else's account is as good as none, so that nobody can find out which ids exist.
    let seen = find(app, name).await?.filter(|account| {
        claims.allows(Scope::BankOperate) || account.is_owned_by(&claims.sub, Rules::NEWEST)
    });
    seen.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, format!("you have no account {name}")))
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// Whose accounts: the `sub` of a token. Another's with `bank:operate` only.
    owner: Option<String>,
    /// Accounts of this category only.
    category: Option<Category>,
    /// The last account of the page before.
    after: Option<AccountId>,
    /// How many at most.
    #[schemars(range(min = 1, max = 100), example = 10)]
    limit: Option<u32>,
}

/// A page of accounts, by id.
#[derive(Debug, Serialize, JsonSchema)]
struct AccountList {
    accounts: Vec<Account>,
    /// Where the list goes on; `null` at its end. Also in the header `Link`.
    next: Option<String>,
}

/// List accounts
///
/// One's own; with `bank:operate` everybody's, or those of one owner. By id.
#[utoipa::path(
    get,
    path = "/accounts",
    tag = "Accounts",
    params(Of<ListQuery>),
    responses(Reply<200, AccountList>),
    security(("bearer" = ["accounts:read"]), ("bearer" = ["bank:operate"])),
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let caller = app.caller(&headers, READERS).await?;
    let claims = caller.claims();
    let Query(query) = query?;
    let owner = query.owner.as_deref().map(owner_spelling);
    let owner = match owner.as_deref() {
        owner if claims.allows(Scope::BankOperate) => owner,
        None => Some(claims.sub.as_str()),
        Some(owner) if owner == claims.sub => Some(owner),
        Some(_) => {
            return Err(Problem::forbidden(
                "bank:operate for another owner's accounts",
            ));
        }
    };
    let limit = page::limit(query.limit, ROWS_DEFAULT)?;
    let rows = store::account_page(
        &app.pool,
        owner,
        query.category,
        query.after,
        i64::from(limit) + 1,
    )
    .await?;
    let page = Page::cut(rows, limit, "/accounts", |last| ListQuery {
        owner: query.owner.clone(),
        category: query.category,
        after: Some(last.id),
        limit: query.limit,
    });
    Ok(page.answer(|rows, next| AccountList {
        accounts: rows.iter().map(Account::from).collect(),
        next,
    }))
}
