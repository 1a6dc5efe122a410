//! A page for each problem `type`: `/problems/<name>` says what happened and what to do.
//!
//! As HTML for a browser, as JSON for a program that asks for it, and as text for everybody else.

use std::fmt::Write as _;

use axum::Json;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::Problem;
use super::kinds::Kind;
use crate::http::prefix;

/// A problem `type` in words.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Explained {
    #[serde(rename = "type")]
    kind: Kind,
    title: &'static str,
    /// With which statuses it is sent.
    statuses: &'static [u16],
    happened: &'static str,
    what_to_do: &'static str,
}

impl From<Kind> for Explained {
    fn from(kind: Kind) -> Self {
        Self {
            kind,
            title: kind.title(),
            statuses: kind.statuses(),
            happened: kind.happened(),
            what_to_do: kind.remedy(),
        }
    }
}

/// Every problem `type`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Catalogue {
    problems: Vec<Explained>,
}

/// The page of one.
///
/// # Errors
/// 404 for a name that is none.
pub fn show(name: &str, headers: &HeaderMap) -> Result<Response, Problem> {
    let kind = Kind::named(name).ok_or_else(|| {
        let detail = format!("no problem is called {name:?}; /problems lists them");
        Problem::new(StatusCode::NOT_FOUND, detail)
    })?;
    Ok(match Form::wanted(headers) {
        Form::Html => html(kind.title(), &in_html(kind)),
        Form::Json => Json(Explained::from(kind)).into_response(),
        Form::Text => in_text(kind).into_response(),
    })
}

/// The page of all.
#[must_use]
pub fn list(headers: &HeaderMap) -> Response {
    match Form::wanted(headers) {
        Form::Html => {
            let pages: String = Kind::ALL.iter().copied().map(in_html).collect();
            html("Problems", &format!("<h1>Problems</h1>{pages}"))
        }
        Form::Json => {
            let problems = Kind::ALL.iter().copied().map(Explained::from).collect();
            Json(Catalogue { problems }).into_response()
        }
        Form::Text => {
            let texts: Vec<_> = Kind::ALL.iter().copied().map(in_text).collect();
            texts.join("\n").into_response()
        }
    }
}

enum Form {
    Html,
    Json,
    Text,
}

impl Form {
    /// The first of ours that `Accept` names.
    fn wanted(headers: &HeaderMap) -> Self {
        let accepted = headers
            .get_all(header::ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|range| range.split(';').next().unwrap_or_default().trim());
        for range in accepted {
            match range {
                "text/html" | "application/xhtml+xml" => return Self::Html,
                "application/json" | "application/problem+json" => return Self::Json,
                "text/plain" => return Self::Text,
                _ => {}
            }
        }
        Self::Text
    }
}

fn statuses(kind: Kind) -> String {
    let words: Vec<_> = kind.statuses().iter().map(u16::to_string).collect();
    words.join(" or ")
}

fn in_text(kind: Kind) -> String {
    format!(
        "{}\n{} ({})\n\nWhat happened: {}\nWhat to do: {}\n",
        kind.uri(),
        kind.title(),
        statuses(kind),
        kind.happened(),
        kind.remedy()
    )
}

fn in_html(kind: Kind) -> String {
    let mut page = String::new();
    let write = write!(
        page,
        "<section><h2>{}</h2><p><code>{}</code> · {}</p><h3>What happened</h3><p>{}</p><h3>What to do</h3><p>{}</p></section>",
        escaped(kind.title()),
        kind.uri(),
        statuses(kind),
        escaped(kind.happened()),
        escaped(kind.remedy()),
    );
    write.expect("writing to a string");
    page
}

/// Text that HTML does not take for its own.
#[must_use]
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// What a page may load: our own files, and no script that stands in it.
pub const PAGE_POLICY: (HeaderName, HeaderValue) = (
    header::CONTENT_SECURITY_POLICY,
    HeaderValue::from_static(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
);

fn html(title: &str, body: &str) -> Response {
    let prefix = prefix::here();
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{} · Quittance</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><link rel=\"stylesheet\" href=\"{prefix}/docs/docs.css\">\
         <link rel=\"icon\" href=\"{prefix}/docs/favicon-32x32.png\"></head><body><main>{body}</main></body></html>",
        escaped(title),
    );
    ([PAGE_POLICY], axum::response::Html(page)).into_response()
}
