//! The log: message N and answer N side by side, and lists of them, the newest first.

use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use client::{Entry, LogPage, Message};
use serde::{Deserialize, Serialize};

use super::batch;
use crate::app::App;
use crate::failure::Failure;
use crate::live;
use crate::operator::Operator;
use crate::page::{Frame, html, render};
use crate::prefix::Prefix;
use crate::show::{Id, Source, State as Shown, Time, as_rfc3339, payment_path, pretty};

/// What the address of a list says. An empty field of the form is one that was not filled in.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Filter {
    pub(super) kind: String,
    pub(super) status: String,
    pub(super) client_id: String,
    pub(super) trace_id: String,
    /// A time in UTC as a browser's field writes it.
    pub(super) until: String,
    pub(super) before: String,
}

impl Filter {
    /// What the ledger is asked.
    pub(super) fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = vec![
            ("kind", self.kind.clone()),
            ("status", self.status.clone()),
            ("client_id", self.client_id.clone()),
            ("trace_id", self.trace_id.clone()),
            ("before", self.before.clone()),
            ("until", as_rfc3339(&self.until)),
        ];
        query.retain(|(_, value)| !value.is_empty());
        for (_, value) in &mut query {
            *value = value.trim().to_owned();
        }
        query
    }

    /// The address of the page behind this one.
    pub(super) fn next(&self, path: &str, page: &LogPage, prefix: &Prefix) -> Option<String> {
        let query = Self {
            before: page.before()?,
            until: String::new(),
            ..self.clone()
        };
        Some(prefix.at(&format!("{path}?{}", query.encoded())))
    }

    /// As a query, without what is not filled in.
    pub(super) fn encoded(&self) -> String {
        let mut pairs = vec![
            ("kind", &self.kind),
            ("status", &self.status),
            ("client_id", &self.client_id),
            ("trace_id", &self.trace_id),
            ("until", &self.until),
            ("before", &self.before),
        ];
        pairs.retain(|(_, value)| !value.is_empty());
        serde_urlencoded::to_string(pairs).unwrap_or_default()
    }

    /// The newest are shown, so the list can be live.
    pub(super) fn is_at_the_head(&self) -> bool {
        self.before.is_empty() && self.until.is_empty()
    }
}

/// One line of a list.
pub(super) struct Row {
    pub(super) seq: Id,
    pub(super) at: Time,
    pub(super) kind: String,
    pub(super) state: Shown,
    pub(super) client: String,
    pub(super) about: Option<Id>,
    pub(super) amount: String,
}

impl Row {
    pub(super) fn of(entry: Entry, prefix: &Prefix) -> Self {
        let about = entry.about.map(|about| match entry.kind.as_str() {
            // The end of a hold is about the hold.
            "payment" | "hold" | "capture" | "void" | "reversal" | "transaction" | "expiry" => {
                let path = payment_path(&about, entry.client_id.as_deref());
                Id::link(about, prefix, &path)
            }
            "account" | "chart" => Id::account(about, prefix),
            "payment-batch" => {
                let path = batch::path(&about, entry.client_id.as_deref());
                Id::link(about, prefix, &path)
            }
            _ => Id::plain(about),
        });
        Self {
            seq: Id::seq(entry.seq, prefix),
            at: Time::at(entry.published_at),
            state: Shown::new(&entry.status).with(entry.reason.as_deref()),
            client: entry.client_id.unwrap_or_default(),
            about,
            amount: match (entry.amount, entry.currency) {
                (Some(amount), Some(currency)) => format!("{amount} {currency}"),
                _ => String::new(),
            },
            kind: entry.kind,
        }
    }
}

/// The rows of a page of the log.
#[derive(Template)]
#[template(path = "log_rows.html")]
pub(super) struct Rows {
    pub(super) rows: Source<Vec<Row>>,
    /// It took many looks to find them: too much work for each second.
    pub(super) is_deep: bool,
    pub(super) next: Option<String>,
    /// What to do when there is none.
    pub(super) empty: &'static str,
}

impl askama::filters::HtmlSafe for Rows {}

#[derive(Template)]
#[template(path = "log.html")]
struct LogListPage {
    frame: Frame,
    filter: Filter,
    /// Where the list comes from again, live.
    live: Option<String>,
    rows: Rows,
}

const EMPTY: &str = "Nothing in the log fits. Take a filter away, or look further back.";

pub(super) async fn list(
    State(app): State<Arc<App>>,
    who: Operator,
    query: Result<Query<Filter>, QueryRejection>,
) -> Result<Response, Failure> {
    let filter = filter(query, &who)?;
    let rows = rows(&app, &who, &filter, "/log", EMPTY, Look::Far).await;
    let live = format!("/live/log?{}", filter.encoded());
    Ok(html(&LogListPage {
        frame: who.frame("Log", "Log"),
        live: (filter.is_at_the_head() && !rows.is_deep).then(|| who.prefix.at(&live)),
        filter,
        rows,
    }))
}

pub(super) fn filter(
    query: Result<Query<Filter>, QueryRejection>,
    who: &Operator,
) -> Result<Filter, Failure> {
    match query {
        Ok(Query(filter)) => Ok(filter),
        Err(rejection) => Err(Failure::bad_request(rejection.body_text(), &who.prefix)),
    }
}

/// How far back rows are looked for.
#[derive(Clone, Copy)]
pub(super) enum Look {
    /// Until there are some.
    Far,
    /// As far as the ledger looks at a time: for what is made anew each second.
    Once,
}

/// The rows that fit; `path` is the list's own.
pub(super) async fn rows(
    app: &App,
    who: &Operator,
    filter: &Filter,
    path: &str,
    empty: &'static str,
    look: Look,
) -> Rows {
    let query = filter.query();
    let found = match look {
        Look::Far => app.client.find_in_log(&who.token, &query).await,
        Look::Once => app
            .client
            .log(&who.token, &query)
            .await
            .map(|page| (page, false)),
    };
    match found {
        Ok((page, is_deep)) => Rows {
            is_deep,
            next: filter.next(path, &page, &who.prefix),
            rows: Ok(page
                .entries
                .into_iter()
                .map(|entry| Row::of(entry, &who.prefix))
                .collect()),
            empty,
        },
        Err(error) => Rows {
            is_deep: false,
            rows: Err(error.into()),
            next: None,
            empty,
        },
    }
}

pub(super) async fn live(
    State(app): State<Arc<App>>,
    who: Operator,
    query: Result<Query<Filter>, QueryRejection>,
) -> Result<Response, Failure> {
    let filter = filter(query, &who)?;
    Ok(live::stream(app, who, move |app, who| {
        let filter = filter.clone();
        async move {
            let rows = rows(&app, &who, &filter, "/log", EMPTY, Look::Once).await;
            Some(render(&rows))
        }
    }))
}

/// One side of a pair.
pub(super) struct Side {
    pub(super) name: &'static str,
    pub(super) at: Time,
    pub(super) subject: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) size: usize,
    pub(super) body: String,
    /// How it compares with its schema.
    pub(super) form: Shown,
    pub(super) schema: String,
    pub(super) mismatch: Option<String>,
}

impl Side {
    pub(super) fn of(name: &'static str, message: Message) -> Self {
        Self {
            name,
            at: Time::at(message.published_at),
            subject: message.subject,
            headers: message.headers,
            size: message.size,
            form: Shown::new(if message.mismatch.is_some() {
                "does not fit"
            } else {
                "fits"
            }),
            schema: message
                .schema
                .unwrap_or_else(|| "no known schema".to_owned()),
            mismatch: message.mismatch,
            body: match message.json {
                Some(json) => pretty(&json),
                None => message.text.unwrap_or_default(),
            },
        }
    }
}

#[derive(Template)]
#[template(path = "log_entry.html")]
struct EntryPage {
    frame: Frame,
    seq: u64,
    before: Option<String>,
    after: String,
    request: Side,
    answer: Option<Side>,
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    who: Operator,
    Path(seq): Path<String>,
) -> Result<Response, Failure> {
    let missing = || Failure::not_found(format!("The log has no message {seq}."), &who.prefix);
    let number: u64 = seq.parse().map_err(|_| missing())?;
    let pair = app.client.log_entry(&who.token, number).await;
    let pair = pair.map_err(|error| Failure::of(error, &who.prefix))?;
    let pair = pair.ok_or_else(missing)?;
    let before = number.checked_sub(1).filter(|before| *before > 0);
    Ok(html(&EntryPage {
        frame: who.frame(format!("Message {number}"), "Log"),
        seq: number,
        before: before.map(|before| who.prefix.at(&format!("/log/{before}"))),
        after: who.prefix.at(&format!("/log/{}", number.saturating_add(1))),
        request: Side::of("Request", pair.request),
        answer: pair.answer.map(|answer| Side::of("Answer", answer)),
    }))
}
