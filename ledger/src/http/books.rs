//! The books as a whole: how far the log is decided, and that all accounts sum to zero.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use common::broker;
use common::http::describe::answers::Reply;
use common::http::problem::Problem;
use common::kinds::account::Category;
use common::money::{Currency, Money};
use common::token::Scope;
use common::wire::{REQUESTS, SETTLEMENTS};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::Serialize;

use super::app::App;
use crate::store;

const READERS: &[Scope] = &[Scope::BankOperate, Scope::AuditRead];
/// All accounts are looked at for a trial balance, so it is made anew at most this often.
const TRIAL_BALANCE_AGE_MAX: Duration = Duration::from_secs(5);

/// How far the log is decided and published.
#[derive(Debug, Serialize, JsonSchema)]
struct Checkpoint {
    /// The last decided request.
    seq: u64,
    /// Head of the hash chain there, in hex.
    chain: String,
    /// The rules that the next request is decided by.
    rules: Option<u32>,
    /// The last request in the log.
    requests: u64,
    /// The last published answer.
    settlements: u64,
}

/// Show how far the log is
///
/// How far it is decided and published, and the head of the hash chain.
#[utoipa::path(
    get,
    path = "/checkpoint",
    tag = "Books",
    responses(Reply<200, Checkpoint>),
    security(("bearer" = ["bank:operate"]), ("bearer" = ["audit:read"])),
)]
pub(super) async fn checkpoint(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    app.caller(&headers, READERS).await?;
    let last = async |stream| {
        let last = broker::last_sequence(&app.jetstream, stream).await;
        last.map_err(|error| Problem::unavailable("the broker", &error))
    };
    // The cursor first: what is published was decided before, and what is decided was asked for before.
    let cursor = store::cursor(&app.pool).await?;
    let rules = store::rules(&app.pool).await?.ok();
    let (settlements, requests) = (last(SETTLEMENTS).await?, last(REQUESTS).await?);
    Ok(Json(Checkpoint {
        seq: cursor.seq,
        chain: cursor.chain.to_string(),
        rules: rules.map(crate::core::rules::Rules::number),
        requests,
        settlements,
    })
    .into_response())
}

/// All accounts, by currency and category.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct TrialBalance {
    /// The last request that is in it.
    seq: u64,
    currencies: Vec<CurrencyBalance>,
}

/// The accounts of one currency.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct CurrencyBalance {
    currency: String,
    /// The sum of what the accounts of assets and expenses hold.
    debit: String,
    /// The sum of what the others hold.
    credit: String,
    /// Debit − credit: zero, or the books are broken.
    difference: String,
    categories: Vec<CategoryBalance>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
struct CategoryBalance {
    category: Category,
    accounts: u64,
    /// On the category's normal side.
    sum: String,
}

/// The last trial balance and when it was made.
pub(super) type Remembered = Option<(Instant, TrialBalance)>;

/// Show the trial balance
///
/// All accounts by currency and category; debits and credits of a currency are equal. Made anew at most every five seconds.
#[utoipa::path(
    get,
    path = "/trial-balance",
    tag = "Books",
    responses(Reply<200, TrialBalance>),
    security(("bearer" = ["bank:operate"]), ("bearer" = ["audit:read"])),
)]
pub(super) async fn trial_balance(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    app.caller(&headers, READERS).await?;
    // One at a time: whoever waits here takes the same.
    let _turn = app.trial_balance_turn.lock().await;
    let remembered = app.trial_balance.lock();
    let remembered = remembered.unwrap_or_else(PoisonError::into_inner).clone();
    if let Some((made_at, balance)) = remembered
        && made_at.elapsed() < TRIAL_BALANCE_AGE_MAX
    {
        return Ok(Json(balance).into_response());
    }
    let balance = made(&app).await?;
    let mut remembered = app.trial_balance.lock();
    *remembered
        .as_deref_mut()
        .map_err(|_| Problem::unavailable("the ledger", &"a lock broke"))? =
        Some((Instant::now(), balance.clone()));
    drop(remembered);
    Ok(Json(balance).into_response())
}

async fn made(app: &App) -> Result<TrialBalance, Problem> {
    let begin = "begin transaction isolation level repeatable read, read only";
    let mut tx = app.pool.begin_with(begin).await?;
    let seq = store::cursor(&mut *tx).await?.seq;
    let rows = store::category_sums(&mut *tx).await?;
    tx.rollback().await?;
    let mut currencies: Vec<CurrencyBalance> = Vec::new();
    for group in rows.chunk_by(|a, b| a.currency == b.currency) {
        let code = &group[0].currency;
        let currency = Currency::from_code(code)
            .ok_or_else(|| Problem::unavailable("the ledger", &format!("currency {code}")))?;
        let money = |amount: Decimal| Money::stored(amount, currency).to_string();
        let (mut debit, mut credit) = (Decimal::ZERO, Decimal::ZERO);
        let mut categories = Vec::new();
        for row in group {
            let category = Category::from_word(&row.category)
                .ok_or_else(|| Problem::unavailable("the ledger", &row.category))?;
            let side = match category {
                Category::Asset | Category::Expense => &mut debit,
                Category::Liability | Category::Equity | Category::Income => &mut credit,
            };
            *side = side
                .checked_add(row.sum)
                .ok_or_else(|| Problem::unavailable("the ledger", &"a sum beyond 28 digits"))?;
            categories.push(CategoryBalance {
                category,
                accounts: u64::try_from(row.accounts).unwrap_or_default(),
                sum: money(row.sum),
            });
        }
        let difference = debit
            .checked_sub(credit)
            .ok_or_else(|| Problem::unavailable("the ledger", &"a sum beyond 28 digits"))?;
        currencies.push(CurrencyBalance {
            currency: code.clone(),
            debit: money(debit),
            credit: money(credit),
            difference: money(difference),
            categories,
        });
    }
    Ok(TrialBalance { seq, currencies })
}
