//! Files that the operator asked for: statements and parts of the log, which the ledger makes in the background.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse as _, Response};
use client::{KeptFile, KeptFiles};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::statement::handed_on;
use crate::app::App;
use crate::failure::{Failure, see_other};
use crate::fields::Fields;
use crate::live;
use crate::operator::Operator;
use crate::page::{Frame, html, render};
use crate::prefix::Prefix;
use crate::show::{Source, State as Shown, Time, count};

/// What the gateway says of where it keeps files.
static X_FORWARDED_MEDIA: HeaderName = HeaderName::from_static("x-forwarded-media");
static X_ACCEL_REDIRECT: HeaderName = HeaderName::from_static("x-accel-redirect");

/// One file.
struct Row {
    id: Uuid,
    name: String,
    /// Where it can be had, once it is whole.
    href: Option<String>,
    state: Shown,
    about: String,
    size: String,
    asked: Time,
    gone: Time,
}

#[derive(Template)]
#[template(path = "files_rows.html")]
struct Rows {
    /// For the form of each.
    here: String,
    csrf: String,
    rows: Source<Vec<Row>>,
}

impl askama::filters::HtmlSafe for Rows {}

#[derive(Template)]
#[template(path = "files.html")]
struct FilesPage {
    frame: Frame,
    rows: Rows,
}

pub(super) async fn list(State(app): State<Arc<App>>, who: Operator) -> Response {
    let rows = rows(&app, &who).await;
    html(&FilesPage {
        frame: who.frame("Files", "Files"),
        rows,
    })
}

pub(super) async fn live(State(app): State<Arc<App>>, who: Operator) -> Response {
    live::stream(app, who, |app, who| async move {
        Some(render(&rows(&app, &who).await))
    })
}

/// Asks for a file, or deletes one.
pub(super) async fn act(
    State(app): State<Arc<App>>,
    who: Operator,
    fields: Fields,
) -> Result<Response, Failure> {
    let done = match fields.get("delete") {
        Some(id) => {
            let id = id.parse().map_err(|_| missing(id, &who.prefix))?;
            app.client.delete_file(&who.token, id).await
        }
        None => {
            let wanted = wanted(&fields);
            app.client.ask_file(&who.token, &wanted).await.map(drop)
        }
    };
    done.map_err(|error| Failure::of(error, &who.prefix))?;
    Ok(see_other("/files"))
}

fn missing(id: &str, prefix: &Prefix) -> Failure {
    Failure::not_found(format!("You have no file {id}."), prefix)
}

/// What a form asks for, as the ledger reads it.
fn wanted(fields: &Fields) -> Value {
    let names: &[&str] = match fields.get("kind") {
        Some("log") => &["kind"],
        _ => &["kind", "account_id", "format", "from", "to", "by"],
    };
    let texts = names.iter().filter_map(|name| {
        let text = fields.get(name)?;
        Some(((*name).to_owned(), Value::from(text)))
    });
    let mut wanted: Map<String, Value> = texts.collect();
    if fields.get("kind") == Some("log") {
        for name in ["from", "to"] {
            // What is no number is refused by the ledger, in its words.
            if let Some(text) = fields.get(name) {
                let number = text
                    .parse::<u64>()
                    .map_or_else(|_| text.into(), Value::from);
                wanted.insert(name.to_owned(), number);
            }
        }
    }
    Value::Object(wanted)
}

/// What a file holds. Behind the gateway it is nginx that hands it out, once the ledger has said that it may.
pub(super) async fn content(
    State(app): State<Arc<App>>,
    who: Operator,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let file = id.parse().map_err(|_| missing(&id, &who.prefix))?;
    let media = headers.get(&X_FORWARDED_MEDIA);
    let media = media.and_then(|media| media.to_str().ok());
    let download = app.client.download_file(&who.token, file, media).await;
    let download = download.map_err(|error| Failure::of(error, &who.prefix))?;
    let there = download.at_gateway.clone();
    let there = there.map(|there| [(X_ACCEL_REDIRECT.clone(), there)]);
    Ok((there, handed_on(download)).into_response())
}

async fn rows(app: &App, who: &Operator) -> Rows {
    let found = app.client.files::<KeptFiles>(&who.token).await;
    let rows = found.map(|found| {
        let rows = found.files.into_iter().map(|file| row(file, &who.prefix));
        rows.collect()
    });
    Rows {
        here: who.prefix.at("/files"),
        csrf: who.session.csrf.clone(),
        rows: rows.map_err(Into::into),
    }
}

fn row(file: KeptFile, prefix: &Prefix) -> Row {
    let href = prefix.at(&format!("/files/{}/content", file.id));
    Row {
        id: file.id,
        name: file.file_name,
        href: (file.state == "ready").then_some(href),
        state: Shown::new(&file.state),
        about: match file.detail {
            Some(detail) => format!("{}: {detail}", file.about),
            None => file.about,
        },
        size: file
            .bytes
            .map(|bytes| format!("{} bytes", count(bytes)))
            .unwrap_or_default(),
        asked: Time::at(file.asked_at),
        gone: Time::at(file.gone_at),
    }
}
