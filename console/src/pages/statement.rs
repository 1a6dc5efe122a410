//! An account as it was: its statement, with files to take away, and its balance of a day.

use std::sync::Arc;

use askama::Template;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use client::{Balance, Download, Statement};
use common::ids::AccountId;
use futures::stream;
use serde::{Deserialize, Serialize};

use super::accounts::account_id;
use super::posted::Posted;
use crate::app::App;
use crate::failure::Failure;
use crate::operator::Operator;
use crate::page::{Frame, html};
use crate::show::{Id, Source, Time, as_rfc3339, count};

/// Rows of a page.
const ROWS: u32 = 50;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    from: String,
    to: String,
    by: String,
    cursor: String,
}

impl Asked {
    fn query(&self) -> Vec<(&'static str, String)> {
        let fields = [
            ("from", &self.from),
            ("to", &self.to),
            ("by", &self.by),
            ("cursor", &self.cursor),
        ];
        let given = fields.into_iter().filter(|(_, value)| !value.is_empty());
        given.map(|(name, value)| (name, value.clone())).collect()
    }
}

/// What a statement says.
struct Lines {
    number: String,
    currency: String,
    opening: String,
    closing: String,
    count: String,
    seq: Id,
    rows: Vec<Posted>,
}

#[derive(Template)]
#[template(path = "statement.html")]
struct StatementPage {
    frame: Frame,
    id: Id,
    account: AccountId,
    /// The account's page.
    path: String,
    asked: Asked,
    lines: Source<Lines>,
    /// A file of each kind, with its address.
    files: Vec<(&'static str, String)>,
    next: Option<String>,
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    who: Operator,
    Path(id): Path<String>,
    Query(mut asked): Query<Asked>,
) -> Result<Response, Failure> {
    let id = account_id(&app, &who, &id).await?;
    let path = who.prefix.at(&format!("/accounts/{id}"));
    let mut query = asked.query();
    query.push(("limit", ROWS.to_string()));
    let found = app.client.statement::<Statement>(&who.token, id, &query);
    let found = found.await;
    let cursor = found.as_ref().ok().and_then(|page| {
        // Of the days that this page is of: tomorrow "today" is another.
        (asked.from, asked.to) = (page.from.to_string(), page.to.to_string());
        page.cursor()
    });
    let with_cursor = |cursor: String| {
        let query = Asked {
            cursor,
            ..asked.clone()
        };
        serde_urlencoded::to_string(query.query()).unwrap_or_default()
    };
    let next = cursor.map(|cursor| format!("{path}/statement?{}", with_cursor(cursor)));
    let whole = with_cursor(String::new());
    let files = [("CSV", "csv"), ("camt.053", "camt.053"), ("JSON", "json")];
    let files = files.map(|(name, format)| (name, format!("{path}/statement/{format}?{whole}")));
    let lines = found.map(|page| Lines {
        number: page.account_number,
        currency: page.currency,
        opening: page.opening_balance,
        closing: page.closing_balance,
        count: count(page.count),
        seq: Id::seq(page.seq, &who.prefix),
        rows: page
            .postings
            .into_iter()
            .map(|line| Posted::of(line, &who.prefix))
            .collect(),
    });
    Ok(html(&StatementPage {
        frame: who.frame("Statement", "Accounts"),
        id: Id::account(id, &who.prefix),
        account: id,
        path,
        asked,
        lines: lines.map_err(Into::into),
        files: files.into(),
        next,
    }))
}

/// A whole statement, handed on while it comes.
pub(super) async fn download(
    State(app): State<Arc<App>>,
    who: Operator,
    Path((id, format)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let id = account_id(&app, &who, &id).await?;
    if !["csv", "json", "camt.053"].contains(&format.as_str()) {
        let what = format!("There is no statement as {format}.");
        return Err(Failure::not_found(what, &who.prefix));
    }
    let query = asked.query();
    let download = app
        .client
        .download_statement(&who.token, id, &format, &query)
        .await;
    let download = download.map_err(|error| Failure::of(error, &who.prefix))?;
    Ok(handed_on(download))
}

/// A file, handed on while it comes.
pub(super) fn handed_on(download: Download) -> Response {
    let headers = [
        (header::CONTENT_TYPE, download.media_type.clone()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{}\"", download.file_name),
        ),
    ];
    let pieces = stream::try_unfold(download, async |mut download: Download| {
        let piece = download.piece().await?;
        client::Result::Ok(piece.map(|piece| (Bytes::from(piece), download)))
    });
    (headers, Body::from_stream(pieces)).into_response()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AskedBalance {
    effective: String,
    recorded: String,
}

struct Found {
    balance: String,
    currency: String,
    effective: String,
    recorded: Time,
    seq: Id,
}

#[derive(Template)]
#[template(path = "balance.html")]
struct BalancePage {
    frame: Frame,
    id: Id,
    path: String,
    asked: AskedBalance,
    found: Source<Found>,
}

pub(super) async fn balance(
    State(app): State<Arc<App>>,
    who: Operator,
    Path(id): Path<String>,
    Query(asked): Query<AskedBalance>,
) -> Result<Response, Failure> {
    let id = account_id(&app, &who, &id).await?;
    let mut query = Vec::new();
    if !asked.effective.is_empty() {
        query.push(("effective", asked.effective.clone()));
    }
    if !asked.recorded.is_empty() {
        query.push(("recorded", as_rfc3339(&asked.recorded)));
    }
    let found = app.client.balance::<Balance>(&who.token, id, &query).await;
    let found = found.map(|found| Found {
        balance: found.balance,
        currency: found.currency,
        effective: found.effective.to_string(),
        recorded: Time::at(found.recorded),
        seq: Id::seq(found.seq, &who.prefix),
    });
    Ok(html(&BalancePage {
        frame: who.frame("Balance of a day", "Accounts"),
        id: Id::account(id, &who.prefix),
        path: who.prefix.at(&format!("/accounts/{id}")),
        asked,
        found: found.map_err(Into::into),
    }))
}
