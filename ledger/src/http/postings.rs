//! What was posted to an account, the newest first, with the balance after each posting.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use common::account_number::AccountName;
use common::http::describe::Of;
use common::http::describe::answers::{Problems, Reply};
use common::http::page::{self, Page};
use common::http::problem::Problem;
use common::ids::AccountId;
use common::money::Money;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::accounts;
use super::app::App;
use crate::statement::{AccountPosting, Numbers};
use crate::store;

/// Postings in a list, unless asked for otherwise.
const ROWS_DEFAULT: u32 = 50;

/// A page of postings, the newest first.
#[derive(Debug, Serialize, JsonSchema)]
struct AccountPostings {
    account_id: AccountId,
    currency: String,
    postings: Vec<AccountPosting>,
    /// Where the list goes on, towards older postings; `null` at its end. Also in the header `Link`.
    next: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// Postings before this number.
    before: Option<u64>,
    /// How many at most.
    #[schemars(range(min = 1, max = 100), example = 10)]
    limit: Option<u32>,
}

/// List an account's postings
///
/// The newest first, each with the balance after it.
#[utoipa::path(
    get,
    path = "/accounts/{id}/postings",
    tag = "Accounts",
    params(
        ("id" = String, Path, description = "The account: its id or its number.", example = "01900000-ada0-7000-8000-000000000002"),
        Of<ListQuery>,
    ),
    responses(Reply<200, AccountPostings>, Problems<404>),
    security(("bearer" = ["accounts:read"]), ("bearer" = ["bank:operate"])),
)]
pub(super) async fn postings(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    id: Result<Path<AccountName>, PathRejection>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let account = accounts::seen(&app, &headers, id).await?;
    let Query(query) = query?;
    let limit = page::limit(query.limit, ROWS_DEFAULT)?;
    let rows_max = i64::from(limit) + 1;
    let mut rows =
        store::newest_rows(&app.pool, account.opened_seq, query.before, rows_max).await?;
    store::read_batches(&app.pool, &mut rows).await?;
    let path = format!("/accounts/{}/postings", account.id);
    let page = Page::cut(rows, limit, &path, |last| ListQuery {
        before: u64::try_from(last.number).ok(),
        limit: query.limit,
    });
    let currency = account.posted.currency();
    let rows = page.rows.into_iter();
    let rows = rows.map(|row| (Money::stored(row.balance, currency), row));
    let page = Page {
        rows: AccountPosting::all_of(
            &app.pool,
            account.id,
            rows.collect(),
            &mut Numbers::default(),
        )
        .await?,
        next: page.next,
    };
    Ok(page.answer(|postings, next| AccountPostings {
        account_id: account.id,
        currency: currency.code().to_owned(),
        postings,
        next,
    }))
}
