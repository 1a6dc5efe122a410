//! What an account came to on a day, as it was known at a time.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, NaiveDate, Utc};
use common::account_number::AccountName;
use common::http::describe::Of;
use common::http::describe::answers::{Problems, Reply};
use common::http::problem::Problem;
use common::ids::AccountId;
use common::service::now;
use common::timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use super::accounts;
use super::app::App;
use super::day::Day;
use crate::statement::{Fault, balance_at, just_behind};
use crate::store::{self, Place};

/// An account's balance by two clocks.
#[derive(Debug, Serialize, JsonSchema)]
struct Balance {
    account_id: AccountId,
    currency: String,
    /// The day: what counts from a later one is not in it.
    effective: NaiveDate,
    /// The time: what was booked after it is not in it.
    #[serde(with = "timestamp")]
    #[schemars(with = "DateTime<Utc>")]
    recorded: DateTime<Utc>,
    /// On the account's normal side. What is held now is no part of history.
    balance: String,
    /// The last request that may be in it.
    seq: u64,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BalanceQuery {
    /// The day whose balance is asked for, in UTC. Today when absent.
    effective: Option<Day>,
    /// As it was known at this time. Now when absent.
    recorded: Option<DateTime<Utc>>,
}

/// Show an account's balance of a day
///
/// What the account came to at the end of the day `effective`, value dates included, as it was known at the time
/// `recorded`. A payment that was booked later with an earlier value date changes the balance of that day as it is known
/// today, not as it was known then.
#[utoipa::path(
    get,
    path = "/accounts/{id}/balance",
    tag = "Accounts",
    params(
        ("id" = String, Path, description = "The account: its id or its number.", example = "01900000-ada0-7000-8000-000000000002"),
        Of<BalanceQuery>,
    ),
    responses(Reply<200, Balance>, Problems<404>),
    security(("bearer" = ["accounts:read"]), ("bearer" = ["bank:operate"])),
)]
pub(super) async fn balance(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    id: Result<Path<AccountName>, PathRejection>,
    query: Result<Query<BalanceQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let account = accounts::seen(&app, &headers, id).await?;
    let Query(query) = query?;
    let present = Present::of(&app.pool).await?;
    let effective = present.day("effective", query.effective)?;
    if let Some(recorded) = query.recorded {
        present.time("recorded", recorded)?;
    }
    let standing = store::standing(
        &app.pool,
        account.opened_seq,
        Place::end_of(effective),
        present.seq,
        query.recorded.map(just_behind),
    )
    .await?;
    let balance = balance_at(&account, &standing)?;
    Ok(Json(Balance {
        account_id: account.id,
        currency: balance.currency().code().to_owned(),
        effective,
        recorded: query.recorded.unwrap_or(present.time),
        balance: balance.to_string(),
        seq: u64::try_from(standing.seq).unwrap_or_default(),
    })
    .into_response())
}

/// Where the log and the time are now. History ends here.
pub(super) struct Present {
    /// The last decided request.
    pub(super) seq: u64,
    /// By our clock or the broker's, whichever is ahead.
    pub(super) time: DateTime<Utc>,
}

impl Present {
    pub(super) async fn of(pool: &PgPool) -> Result<Self, Problem> {
        let newest = store::newest(pool).await?;
        Ok(Self {
            seq: newest.seq,
            time: newest.published_at.map_or_else(now, |at| at.max(now())),
        })
    }

    /// A day that has begun; today when none is asked for.
    ///
    /// # Errors
    /// 400 when it is in the future.
    pub(super) fn day(&self, name: &str, asked: Option<Day>) -> Result<NaiveDate, Problem> {
        let today = self.time.date_naive();
        let day = asked.map_or(today, |Day(day)| day);
        if day > today {
            let detail = format!("{name} is in the future; today is {today} (UTC)");
            return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
        }
        Ok(day)
    }

    /// Looks whether a time has come.
    ///
    /// # Errors
    /// 400 when it is in the future.
    pub(super) fn time(&self, name: &str, asked: DateTime<Utc>) -> Result<(), Problem> {
        if asked > self.time {
            let now = timestamp::text(&self.time);
            let detail = format!("{name} is in the future; it is {now}");
            return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
        }
        Ok(())
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Database(error) => error.into(),
            other => Self::unavailable("the ledger", &other),
        }
    }
}
