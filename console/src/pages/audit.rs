//! The proof: the whole log decided again beside the running ledger, with its progress and its verdict.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use client::Replay;

use crate::app::App;
use crate::failure::{Failure, see_other};
use crate::fields::Fields;
use crate::live;
use crate::operator::Operator;
use crate::page::{Frame, html, render};
use crate::show::{Source, State as Shown, Time, count, duration};

/// One replay.
struct Row {
    state: Shown,
    /// How far it is.
    progress: String,
    started: Time,
    took: String,
    by: String,
    /// What agreed, or what did not.
    found: String,
}

#[derive(Template)]
#[template(path = "audit_rows.html")]
struct Rows {
    rows: Source<Vec<Row>>,
}

impl askama::filters::HtmlSafe for Rows {}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    frame: Frame,
    rows: Rows,
}

pub(super) async fn show(State(app): State<Arc<App>>, who: Operator) -> Response {
    let rows = rows(&app, &who).await;
    html(&AuditPage {
        frame: who.frame("Audit", "Audit"),
        rows,
    })
}

pub(super) async fn live(State(app): State<Arc<App>>, who: Operator) -> Response {
    live::stream(app, who, |app, who| async move {
        Some(render(&rows(&app, &who).await))
    })
}

pub(super) async fn start(
    State(app): State<Arc<App>>,
    who: Operator,
    _fields: Fields,
) -> Result<Response, Failure> {
    let started = app.client.start_replay(&who.token).await;
    started.map_err(|error| Failure::of(error, &who.prefix))?;
    Ok(see_other("/audit"))
}

async fn rows(app: &App, who: &Operator) -> Rows {
    let found = app.client.replays(&who.token).await;
    let rows = found.map(|found| found.replays.into_iter().map(row).collect());
    Rows {
        rows: rows.map_err(Into::into),
    }
}

fn row(replay: Replay) -> Row {
    let took = replay
        .ended_at
        .map(|ended| duration(ended - replay.started_at));
    let found = replay.detail.unwrap_or_else(|| match &replay.summary {
        Some(summary) => {
            let number = |name: &str| count(summary[name].as_u64().unwrap_or_default());
            format!(
                "the same books: {} requests, {} payments settled, {} accounts; chain {}",
                number("requests"),
                number("settled"),
                number("accounts"),
                summary["chain"].as_str().unwrap_or_default(),
            )
        }
        None => String::new(),
    });
    Row {
        state: Shown::new(&replay.state),
        progress: format!("{} of {}", count(replay.done), count(replay.requests)),
        started: Time::at(replay.started_at),
        took: took.unwrap_or_default(),
        by: replay.started_by,
        found,
    }
}
