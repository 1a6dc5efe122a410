//! Statements of an account: pages of JSON, or all of it as CSV or camt.053, which is written while it is read.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, NaiveDate, Utc};
use common::account_number::{AccountName, AccountNumber};
use common::http::describe::Of;
use common::http::describe::answers::{Problems, Written};
use common::http::page::{self, Page};
use common::http::problem::Problem;
use common::ids::AccountId;
use common::kinds::account::Category;
use common::service::now;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use super::accounts;
use super::app::App;
use super::balances::Present;
use super::day::Day;
use crate::core::book::account::Account;
use crate::statement::{
    AccountPosting, By, Days, Fault, Numbers, Position, Statement as Read, camt053, csv,
    just_behind,
};
use crate::store;

/// Lines of a page, unless asked for otherwise.
const LINES_DEFAULT: u32 = 50;
/// Lines of a page at most: some 300 kB.
const LINES_MAX: u32 = 1000;

/// A page of a statement.
#[derive(Debug, Serialize, JsonSchema)]
struct Statement {
    account_id: AccountId,
    account_number: AccountNumber,
    name: Option<String>,
    category: Category,
    currency: String,
    by: By,
    /// The first day.
    from: NaiveDate,
    /// The last day.
    to: NaiveDate,
    /// The last request that may be in it. The pages of a statement have the same, whatever is booked between them.
    seq: u64,
    /// Before the first day, on the account's normal side.
    opening_balance: String,
    /// After the last day. The last posting's balance is the same.
    closing_balance: String,
    /// How many postings all pages have.
    count: u64,
    postings: Vec<AccountPosting>,
    /// Where the statement goes on; `null` at its end. Also in the header `Link`.
    next: Option<String>,
}

/// What a statement is written as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) enum Format {
    /// Pages of JSON.
    #[default]
    #[serde(rename = "json")]
    Json,
    /// All of it as CSV.
    #[serde(rename = "csv")]
    Csv,
    /// All of it as ISO 20022 camt.053.001.08.
    #[serde(rename = "camt.053")]
    Camt053,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StatementQuery {
    /// The first day, in UTC. The first of the account's history when absent.
    pub(super) from: Option<Day>,
    /// The last day, in UTC. Today when absent.
    pub(super) to: Option<Day>,
    /// The order, and what belongs to a day: `booked` when absent.
    pub(super) by: Option<By>,
    /// `json` when absent.
    pub(super) format: Option<Format>,
    /// As it was known at this time. Now when absent.
    pub(super) recorded: Option<DateTime<Utc>>,
    /// How many postings on a page at most. Only of JSON.
    #[schemars(range(min = 1, max = 1000), example = 10)]
    pub(super) limit: Option<u32>,
    /// Where a page before this one says that the statement goes on. Only of JSON.
    pub(super) cursor: Option<String>,
}

/// Show an account's statement
///
/// The balance before the first day, every posting with the balance after it, and the balance after the last day; by the
/// day of booking or by value date. JSON comes in pages, the others whole. Pages fit together while others post: a cursor
/// holds on to what was known when the first page was made.
#[utoipa::path(
    get,
    path = "/accounts/{id}/statement",
    tag = "Accounts",
    params(
        ("id" = String, Path, description = "The account: its id or its number.", example = "01900000-ada0-7000-8000-000000000002"),
        Of<StatementQuery>,
    ),
    responses(Written<200, Statement>, Problems<404>),
    security(("bearer" = ["accounts:read"]), ("bearer" = ["bank:operate"])),
)]
pub(super) async fn statement(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    id: Result<Path<AccountName>, PathRejection>,
    query: Result<Query<StatementQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let account = accounts::seen(&app, &headers, id).await?;
    let Query(query) = query?;
    let format = query.format.unwrap_or_default();
    if format != Format::Json && (query.limit.is_some() || query.cursor.is_some()) {
        return Err(bad("limit and cursor go with format=json only"));
    }
    let limit = page::limit_within(query.limit, LINES_DEFAULT, LINES_MAX)?;
    let statement = read(&app.pool, account, &query).await?;
    match format {
        Format::Json => one_page(&app.pool, &statement, query, limit).await,
        Format::Csv | Format::Camt053 => Ok(whole(app.pool.clone(), statement, format)),
    }
}

/// The statement that a query asks for.
pub(super) async fn read(
    pool: &PgPool,
    account: Account,
    query: &StatementQuery,
) -> Result<Read, Problem> {
    let present = Present::of(pool).await?;
    let to = present.day("to", query.to)?;
    let from = match query.from {
        Some(Day(from)) => from,
        None => store::first_day(pool, account.opened_seq)
            .await?
            .map_or(to, |first| first.min(to)),
    };
    if from > to {
        return Err(bad(format!("from is {from}, behind to, which is {to}")));
    }
    let known = match query.recorded {
        Some(recorded) => {
            present.time("recorded", recorded)?;
            store::seq_before(pool, just_behind(recorded)).await?
        }
        None => present.seq,
    };
    let seq = match &query.cursor {
        Some(cursor) => Read::seq_of(cursor).map_err(|error| bad(error.to_string()))?,
        None => known,
    };
    if seq > known {
        return Err(bad(
            "the cursor is of a log that goes further than this one",
        ));
    }
    let by = query.by.unwrap_or_default();
    Ok(Read::of(pool, account, Days { from, to }, by, seq).await?)
}

fn bad(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail)
}

async fn one_page(
    pool: &PgPool,
    statement: &Read,
    query: StatementQuery,
    limit: u32,
) -> Result<Response, Problem> {
    let position = match &query.cursor {
        Some(cursor) => {
            let position = statement.resume(pool, cursor).await?;
            position.map_err(|error| bad(error.to_string()))?
        }
        None => statement.start(),
    };
    let (postings, next) = statement
        .lines(pool, position, limit, &mut Numbers::default())
        .await?;
    let account = &statement.account;
    let next = next.map(|position| {
        let query = StatementQuery {
            // Tomorrow they would be others.
            from: Some(Day(statement.days.from)),
            to: Some(Day(statement.days.to)),
            cursor: Some(statement.cursor(position)),
            ..query
        };
        page::path_with(&format!("/accounts/{}/statement", account.id), &query)
    });
    let page = Page {
        rows: postings,
        next,
    };
    Ok(page.answer(|rows, next| Statement {
        account_id: account.id,
        account_number: account.number(),
        name: account.name.clone(),
        category: account.category,
        currency: account.posted.currency().code().to_owned(),
        by: statement.by,
        from: statement.days.from,
        to: statement.days.to,
        seq: statement.seq,
        opening_balance: statement.opening.to_string(),
        closing_balance: statement.closing.to_string(),
        count: statement.count,
        postings: rows,
        next,
    }))
}

fn whole(pool: PgPool, statement: Read, format: Format) -> Response {
    let Whole {
        file_name,
        media_type,
        pieces,
    } = Whole::of(pool, statement, format);
    let file = format!("attachment; filename=\"{file_name}\"");
    let headers = [
        (header::CONTENT_TYPE, media_type.to_owned()),
        (header::CONTENT_DISPOSITION, file),
    ];
    (headers, Body::from_stream(pieces)).into_response()
}

/// A whole statement. At most [`LINES_MAX`] lines of it are in memory; a client that reads slowly makes us read slowly.
pub(super) struct Whole {
    pub(super) file_name: String,
    pub(super) media_type: &'static str,
    pub(super) pieces: BoxStream<'static, Result<Bytes, Fault>>,
}

impl Whole {
    pub(super) fn of(pool: PgPool, statement: Read, format: Format) -> Self {
        let (media_type, ending) = match format {
            Format::Camt053 => ("application/xml", "xml"),
            Format::Csv | Format::Json => ("text/csv; charset=utf-8; header=present", "csv"),
        };
        let Days { from, to } = statement.days;
        let file_name = format!("statement-{}-{from}-{to}.{ending}", statement.account.id);
        let writing = Writing {
            at: Some(Part::Begin),
            pool,
            statement,
            format,
            numbers: Numbers::default(),
        };
        Self {
            file_name,
            media_type,
            pieces: stream::try_unfold(writing, Writing::next).boxed(),
        }
    }
}

/// A statement on its way out.
struct Writing {
    pool: PgPool,
    statement: Read,
    format: Format,
    numbers: Numbers,
    /// What comes next.
    at: Option<Part>,
}

enum Part {
    Begin,
    Lines(Position),
    End,
}

impl Writing {
    /// The next part. An error ends the body before its end, so that no client takes a part for the whole.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, Fault> {
        let Some(part) = self.at.take() else {
            return Ok(None);
        };
        let (statement, is_csv) = (&self.statement, self.format == Format::Csv);
        let (bytes, next) = match part {
            Part::Begin => {
                let bytes = if is_csv {
                    csv::begin(statement)
                } else {
                    camt053::begin(statement, now())
                };
                (bytes, Some(Part::Lines(statement.start())))
            }
            Part::Lines(from) => {
                let read = statement
                    .lines(&self.pool, from, LINES_MAX, &mut self.numbers)
                    .await;
                let (lines, next) = read.inspect_err(|error| {
                    tracing::error!(%error, "a statement ends before its end");
                })?;
                let bytes = if is_csv {
                    csv::lines(statement, &lines)
                } else {
                    camt053::lines(statement, &lines)
                };
                (bytes, Some(next.map_or(Part::End, Part::Lines)))
            }
            Part::End if is_csv => (csv::end(statement), None),
            Part::End => (camt053::end(statement), None),
        };
        self.at = next;
        Ok(Some((bytes.into(), self)))
    }
}
