//! What is held on an account.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use chrono::{DateTime, Utc};
use common::account_number::AccountName;
use common::http::describe::Of;
use common::http::describe::answers::{Problems, Reply};
use common::http::page::{self, Page};
use common::http::problem::Problem;
use common::ids::{AccountId, ClientId, PaymentId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::accounts;
use super::app::App;
use crate::core::book::hold::Hold;
use crate::store;

/// Holds in a list, unless asked for otherwise.
const ROWS_DEFAULT: u32 = 50;

/// A hold that can be captured.
#[derive(Debug, Serialize, JsonSchema)]
struct AccountHold {
    /// The `payment_id` of the request that authorised it.
    hold_id: PaymentId,
    client_id: ClientId,
    /// The request that authorised it.
    request_seq: u64,
    /// The account that a capture pays.
    creditor_account: AccountId,
    /// What was authorised.
    amount: String,
    /// What is still held.
    remaining: String,
    reference: Option<String>,
    /// When it ends by itself; `null` where there is no end.
    expires_at: Option<DateTime<Utc>>,
}

/// A page of holds, the newest first.
#[derive(Debug, Serialize, JsonSchema)]
struct AccountHolds {
    account_id: AccountId,
    currency: String,
    holds: Vec<AccountHold>,
    /// Where the list goes on, towards older holds; `null` at its end. Also in the header `Link`.
    next: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// Holds that were authorised before this request.
    before: Option<u64>,
    /// How many at most.
    #[schemars(range(min = 1, max = 100), example = 10)]
    limit: Option<u32>,
}

/// List what is held on an account
///
/// The newest first. What was captured in full, voided or has ended is not in it.
#[utoipa::path(
    get,
    path = "/accounts/{id}/holds",
    tag = "Accounts",
    params(
        ("id" = String, Path, description = "The account: its id or its number.", example = "01900000-ada0-7000-8000-000000000002"),
        Of<ListQuery>,
    ),
    responses(Reply<200, AccountHolds>, Problems<404>),
    security(("bearer" = ["accounts:read"]), ("bearer" = ["bank:operate"])),
)]
pub(super) async fn holds(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    id: Result<Path<AccountName>, PathRejection>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let account = accounts::seen(&app, &headers, id).await?;
    let Query(query) = query?;
    let limit = page::limit(query.limit, ROWS_DEFAULT)?;
    let rows_max = i64::from(limit) + 1;
    let rows = store::account_holds(&app.pool, account.opened_seq, query.before, rows_max).await?;
    let path = format!("/accounts/{}/holds", account.id);
    let page = Page::cut(rows, limit, &path, |last| ListQuery {
        before: Some(last.seq),
        limit: query.limit,
    });
    Ok(page.answer(|rows, next| AccountHolds {
        account_id: account.id,
        currency: account.posted.currency().code().to_owned(),
        holds: rows.into_iter().map(AccountHold::from).collect(),
        next,
    }))
}

impl From<Hold> for AccountHold {
    fn from(hold: Hold) -> Self {
        let (client_id, hold_id) = hold.key;
        Self {
            hold_id,
            client_id,
            request_seq: hold.seq,
            creditor_account: hold.creditor.account,
            amount: hold.amount.to_string(),
            remaining: hold.remaining.to_string(),
            reference: hold.reference,
            expires_at: hold.expires_at,
        }
    }
}
