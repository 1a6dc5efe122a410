//! What bank staff and customers ask the ledger: opening accounts and looking at them.
//!
//! Nothing is changed here. `POST /accounts` publishes a request under the caller's own token and waits for its answer,
//! so opening an account stands in the log like everything else that changes the books.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query};
use axum::http::{self, StatusCode, header};
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use bytes::Bytes;
use common::broker::{Answers, Publisher};
use common::headers::HeaderLines;
use common::http::body::limit_body;
use common::http::caller::bearer_token;
use common::http::problem::Problem;
use common::ids::AccountId;
use common::kinds::Answer;
use common::kinds::account;
use common::kinds::account::{AccountAnswer, AccountStatus};
use common::kinds::account::{AccountRequest, Category, OpenAccount};
use common::message;
use common::message::Outgoing;
use common::reason::{Code, Reason};
use common::service::now;
use common::token::{Claims, Keys, Scope, TokenError, verify};
use common::wire;
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgPool;
use uuid::Uuid;

use crate::core::book::account::Account;
use crate::store;

/// How long `POST /accounts` waits for the ledger's answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Accounts on one page.
const PAGE_ROWS_MAX: i64 = 100;

/// What the handlers work with.
#[derive(Clone)]
pub(crate) struct State {
    publisher: Publisher,
    pool: PgPool,
    answers: Answers,
    keys: Arc<RwLock<Keys>>,
}

impl State {
    pub(crate) fn new(publisher: Publisher, pool: PgPool, answers: Answers) -> Self {
        Self {
            publisher,
            pool,
            answers,
            keys: Arc::default(),
        }
    }

    /// The caller's token and what it says.
    async fn caller<'h>(&self, headers: &'h http::HeaderMap) -> Result<(&'h str, Claims), Problem> {
        let token = bearer_token(headers)?;
        let judge = || {
            verify(
                token,
                now(),
                &self.keys.read().unwrap_or_else(PoisonError::into_inner),
            )
        };
        let mut verdict = judge();
        if verdict == Err(TokenError::KeyUnknown) {
            // It may have been announced since we looked.
            let keys = store::keys(&self.pool).await?;
            *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
            verdict = judge();
        }
        verdict
            .map(|verified| (token, verified.claims))
            .map_err(Problem::unauthorized)
    }
}

/// The ledger's routes.
pub(crate) fn routes(state: State) -> Router {
    Router::new()
        .route("/accounts", post(open_account).get(list_accounts))
        .route("/accounts/{id}", get(show_account))
        .layer(from_fn(limit_body))
        .layer(Extension(state))
}

/// As [`OpenAccount`], but what can be left to us may be left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAccount {
    #[serde(default = "new_account_id")]
    account_id: AccountId,
    owner: Option<String>,
    currency: String,
    #[serde(default)]
    category: Category,
    name: Option<String>,
    overdraft_limit: Option<String>,
}

fn new_account_id() -> AccountId {
    AccountId(Uuid::now_v7())
}

async fn open_account(
    Extension(state): Extension<State>,
    headers: http::HeaderMap,
    body: Result<Json<NewAccount>, JsonRejection>,
) -> Result<Response, Problem> {
    let (token, claims) = state.caller(&headers).await?;
    if !claims.allows_any(&[Scope::AccountsWrite, Scope::BankOperate]) {
        return Err(Problem::forbidden("accounts:write or bank:operate"));
    }
    let Json(new) = body?;
    let id = new.account_id;
    let request = AccountRequest::Open(OpenAccount {
        account_id: id,
        owner: new.owner.unwrap_or_else(|| claims.sub.clone()),
        currency: new.currency,
        category: new.category,
        name: new.name,
        overdraft_limit: new.overdraft_limit,
    });
    // Whoever repeats it with this id opens no second account, whatever became of this one.
    let with_id = |problem: Problem| problem.with("account_id", id.to_string());
    let seq = publish(&state.publisher, &claims, token, id, &request)
        .await
        .map_err(with_id)?;
    let answer = state
        .answers
        .wait(seq, ANSWER_TIMEOUT)
        .await
        .map_err(|error| with_id(Problem::unavailable("the broker", &error)))?;
    let Some(answer) = answer else {
        // It is in the log, so it will be decided: that is not an error.
        let pending =
            serde_json::json!({"account_id": id, "request_seq": seq, "status": "pending"});
        return Ok((StatusCode::ACCEPTED, location(id), Json(pending)).into_response());
    };
    let answer = Answer::from_json(
        answer.header(wire::CE_TYPE).unwrap_or_default(),
        &answer.payload,
    );
    let Ok(Answer::Account(answer)) = answer else {
        return Err(with_id(Problem::unavailable(
            "the ledger",
            &"an answer that is no account's",
        )));
    };
    answered(&state, id, answer).await.map_err(with_id)
}

async fn publish(
    publisher: &Publisher,
    claims: &Claims,
    token: &str,
    id: AccountId,
    request: &AccountRequest,
) -> Result<u64, Problem> {
    let mut headers = HeaderLines::default();
    message::add_request_headers(
        &mut headers,
        token,
        account::REQUESTED,
        id,
        format_args!("/clients/{}", claims.client_id),
    );
    let payload = serde_json::to_vec(request).expect("texts and ids are JSON");
    let message = Outgoing {
        subject: account::subject(&claims.client_id),
        headers,
        payload: Bytes::from(payload),
    };
    let ack = publisher.publish_one(wire::REQUESTS, message).await;
    Ok(ack
        .map_err(|error| Problem::unavailable("the broker", &error))?
        .sequence)
}

async fn answered(
    state: &State,
    id: AccountId,
    answer: AccountAnswer,
) -> Result<Response, Problem> {
    let status = match answer.status {
        AccountStatus::Opened => StatusCode::CREATED,
        AccountStatus::Duplicate => StatusCode::OK,
        AccountStatus::Rejected => {
            let reason = answer
                .reason
                .unwrap_or_else(|| Reason::new(Code::NARR, "rejected"));
            let status = match reason.code {
                Code::AG01 => StatusCode::FORBIDDEN,
                Code::AM05 => StatusCode::CONFLICT,
                _ => StatusCode::UNPROCESSABLE_ENTITY,
            };
            return Err(Problem::rejected(status, &reason).with("request_seq", answer.request_seq));
        }
    };
    let accounts = store::accounts(&state.pool, &[id]).await?;
    let account = accounts
        .get(&id)
        .ok_or_else(|| Problem::unavailable("the ledger", &"an opened account is not there"))?;
    Ok((status, location(id), Json(AccountBody::from(account))).into_response())
}

fn location(id: AccountId) -> [(header::HeaderName, String); 1] {
    [(header::LOCATION, format!("/accounts/{id}"))]
}

/// An account with its three balances, as decimal texts.
#[derive(Serialize)]
struct AccountBody<'a> {
    account_id: AccountId,
    owner: &'a str,
    name: Option<&'a str>,
    currency: &'a str,
    category: Category,
    status: &'a str,
    posted: String,
    held: String,
    available: String,
    overdraft_limit: String,
    opened_seq: u64,
}

impl<'a> From<&'a Account> for AccountBody<'a> {
    fn from(account: &'a Account) -> Self {
        Self {
            account_id: account.id,
            owner: &account.owner,
            name: account.name.as_deref(),
            currency: account.posted.currency().code(),
            category: account.category,
            status: account.status.as_str(),
            posted: account.posted.to_string(),
            held: account.held.to_string(),
            available: account.available().to_string(),
            overdraft_limit: account.overdraft_limit.to_string(),
            opened_seq: account.opened_seq,
        }
    }
}

async fn show_account(
    Extension(state): Extension<State>,
    headers: http::HeaderMap,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<Response, Problem> {
    let (_, claims) = state.caller(&headers).await?;
    may_read(&claims)?;
    let id = AccountId(id?.0);
    let accounts = store::accounts(&state.pool, &[id]).await?;
    // Somebody else's account is as good as none, so that nobody can find out which ids exist.
    let seen = accounts
        .get(&id)
        .filter(|account| claims.allows(Scope::BankOperate) || account.owner == claims.sub);
    let account = seen
        .ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, format!("you have no account {id}")))?;
    Ok(Json(AccountBody::from(account)).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    owner: Option<String>,
    after: Option<AccountId>,
    limit: Option<i64>,
}

/// One's own accounts; with `bank:operate` everybody's, or those of one owner.
async fn list_accounts(
    Extension(state): Extension<State>,
    headers: http::HeaderMap,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Response, Problem> {
    let (_, claims) = state.caller(&headers).await?;
    may_read(&claims)?;
    let Query(page) = page?;
    let owner = match page.owner {
        owner if claims.allows(Scope::BankOperate) => owner,
        None => Some(claims.sub),
        Some(owner) if owner == claims.sub => Some(owner),
        Some(_) => {
            return Err(Problem::forbidden(
                "bank:operate for another owner's accounts",
            ));
        }
    };
    let limit = page.limit.unwrap_or(PAGE_ROWS_MAX).clamp(1, PAGE_ROWS_MAX);
    let accounts = store::account_page(&state.pool, owner.as_deref(), page.after, limit).await?;
    let full = i64::try_from(accounts.len()).is_ok_and(|count| count == limit);
    let next = accounts.last().filter(|_| full).map(|account| account.id);
    let accounts: Vec<_> = accounts.iter().map(AccountBody::from).collect();
    Ok(Json(serde_json::json!({"accounts": accounts, "next_after": next})).into_response())
}

fn may_read(claims: &Claims) -> Result<(), Problem> {
    if claims.allows_any(&[Scope::AccountsRead, Scope::BankOperate]) {
        Ok(())
    } else {
        Err(Problem::forbidden("accounts:read or bank:operate"))
    }
}
