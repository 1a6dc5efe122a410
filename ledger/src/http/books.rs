//! The books as a whole: how far the log is decided, and that all accounts sum to zero.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use common::broker;
use common::http::describe::Of;
use common::http::describe::answers::Reply;
use common::http::problem::Problem;
use common::token::Scope;
use common::wire::{REQUESTS, SETTLEMENTS};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::app::App;
use super::balances::Present;
use super::receipts::SignedTree;
use super::trial_balance::TrialBalance;
use crate::store;

const READERS: &[Scope] = &[Scope::BankOperate, Scope::AuditRead];

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
    /// The newest signed root of the tree over all answers; `null` when there is none.
    tree: Option<SignedTree>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckpointQuery {
    /// Sign the tree now, with all that is decided, instead of showing what was signed last.
    #[serde(default)]
    fresh: bool,
}

/// Show how far the log is
///
/// How far it is decided and published, the head of the hash chain, and the signed root of the tree over all answers, which
/// is signed each minute, and whenever somebody gets a receipt or asks for it.
#[utoipa::path(
    get,
    path = "/checkpoint",
    tag = "Books",
    params(Of<CheckpointQuery>),
    responses(Reply<200, Checkpoint>),
    security(("bearer" = ["bank:operate"]), ("bearer" = ["audit:read"])),
)]
pub(super) async fn checkpoint(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    query: Result<Query<CheckpointQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    app.caller(&headers, READERS).await?;
    let Query(query) = query?;
    let last = async |stream| {
        let last = broker::last_sequence(&app.jetstream, stream).await;
        last.map_err(|error| Problem::unavailable("the broker", &error))
    };
    // The cursor first: what is published was decided before, and what is decided was asked for before.
    let cursor = store::cursor(&app.pool).await?;
    let rules = store::rules(&app.pool).await?.ok();
    let tree = SignedTree::newest(&app, query.fresh.then_some(cursor.seq)).await?;
    let (settlements, requests) = (last(SETTLEMENTS).await?, last(REQUESTS).await?);
    Ok(Json(Checkpoint {
        seq: cursor.seq,
        chain: cursor.chain.to_string(),
        rules: rules.map(crate::core::rules::Rules::number),
        requests,
        settlements,
        tree,
    })
    .into_response())
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TrialBalanceQuery {
    /// As the books were at this time. Now when absent.
    as_of: Option<DateTime<Utc>>,
}

/// Show the trial balance
///
/// All accounts by currency and category; debits and credits of a currency are equal, now and at any time before. The one
/// of now is made anew at most every five seconds.
#[utoipa::path(
    get,
    path = "/trial-balance",
    tag = "Books",
    params(Of<TrialBalanceQuery>),
    responses(Reply<200, TrialBalance>),
    security(("bearer" = ["bank:operate"]), ("bearer" = ["audit:read"])),
)]
pub(super) async fn trial_balance(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    query: Result<Query<TrialBalanceQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    app.caller(&headers, READERS).await?;
    let Query(query) = query?;
    let balance = match query.as_of {
        Some(as_of) => {
            Present::of(&app.pool).await?.time("as_of", as_of)?;
            app.trial_balances.at(&app.pool, as_of).await?
        }
        None => app.trial_balances.newest(&app.pool).await?,
    };
    Ok(Json(balance).into_response())
}
