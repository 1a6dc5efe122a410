//! Files: asked for, made in the background, handed out for a while, to whoever asked and to the bank.
//!
//! Behind the gateway the ledger says who may have a file, and nginx hands it out (`X-Accel-Redirect`). Without one the
//! ledger hands it out itself.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body as Content, Bytes};
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use common::http::caller::Caller;
use common::http::describe::Body;
use common::http::describe::answers::{File, Located, Problems, Reply};
use common::http::problem::Problem;
use common::ids::{AccountId, ClientId};
use common::token::Scope;
use futures::{StreamExt as _, stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use uuid::Uuid;

use super::accounts;
use super::app::App;
use super::day::Day;
use super::events::{FILE_ASKED, FILE_DELETED, FILE_FETCHED, filed, operator};
use super::log;
use super::statements::{self, Format, StatementQuery, Whole};
use crate::files::{FileKind, FileState, Files, KeptFile, NewFile, Refused};
use crate::statement::{By, Days};
use crate::store;

const READERS: &[Scope] = &[Scope::AccountsRead, Scope::BankOperate, Scope::AuditRead];
/// Requests of a file at most: some 1.5 kB each.
const REQUESTS_MAX: u64 = 500_000;
/// Bytes that are read from a file at a time.
const PIECE_BYTES: usize = 64 * 1024;
/// Where the gateway keeps the files, which it says with each request.
const MEDIA: &str = "/media";
static X_FORWARDED_MEDIA: HeaderName = HeaderName::from_static("x-forwarded-media");
static X_ACCEL_REDIRECT: HeaderName = HeaderName::from_static("x-accel-redirect");

/// What is wanted as a file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[schemars(example = json!({"kind": "statement", "account_id": "01900000-ada0-7000-8000-000000000002", "format": "csv"}))]
pub(super) enum Wanted {
    /// A whole statement.
    Statement {
        account_id: AccountId,
        format: FileFormat,
        /// The first day, in UTC. The first of the account's history when absent.
        from: Option<Day>,
        /// The last day, in UTC. Today when absent.
        to: Option<Day>,
        /// The order, and what belongs to a day: `booked` when absent.
        by: Option<By>,
        /// As it was known at this time. Now when absent.
        recorded: Option<DateTime<Utc>>,
    },
    /// A part of the log: a line of JSON for each request, as `/log/{seq}` shows it, without tokens.
    Log {
        /// The first request; 1 when absent.
        #[schemars(range(min = 1))]
        from: Option<u64>,
        /// The last one; the last that is decided when absent.
        #[schemars(range(min = 1))]
        to: Option<u64>,
    },
}

/// What a statement is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(super) enum FileFormat {
    /// For spreadsheets.
    #[serde(rename = "csv")]
    Csv,
    /// ISO 20022 camt.053.001.08.
    #[serde(rename = "camt.053")]
    Camt053,
}

/// Files.
#[derive(Debug, Serialize, JsonSchema)]
struct KeptFiles {
    /// The newest first.
    files: Vec<KeptFile>,
}

/// Ask for a file
///
/// It is made in the background; `GET /files/{id}` says when it is ready. It is kept for a day, unless the bank chose
/// otherwise: `gone_at` says until when. A statement is for whoever may see the account, a part of the log for auditors.
#[utoipa::path(
    post,
    path = "/files",
    tag = "Files",
    params(Body<Wanted>),
    responses(Located<202, KeptFile>, Problems<404>, Problems<429>),
    security(("bearer" = ["accounts:read"]), ("bearer" = ["bank:operate"]), ("bearer" = ["audit:read"])),
)]
pub(super) async fn ask(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Result<Json<Wanted>, JsonRejection>,
) -> Result<Response, Problem> {
    let caller = app.caller(&headers, READERS).await?;
    let Json(wanted) = body?;
    let (owner, operator) = (caller.claims().sub.clone(), operator(&caller));
    match wanted {
        Wanted::Statement {
            account_id,
            format,
            from,
            to,
            by,
            recorded,
        } => {
            must_have(&caller, accounts::READERS, "accounts:read")?;
            let account = accounts::seen_by(&app, &caller, account_id.into()).await?;
            let format = match format {
                FileFormat::Csv => Format::Csv,
                FileFormat::Camt053 => Format::Camt053,
            };
            let query = StatementQuery {
                from,
                to,
                by,
                format: Some(format),
                recorded,
                limit: None,
                cursor: None,
            };
            let statement = statements::read(&app.pool, account, &query).await?;
            let Days { from, to } = statement.days;
            let whole = Whole::of(app.pool.clone(), statement, format);
            let new = NewFile {
                kind: FileKind::Statement,
                about: format!("account {account_id}, {from} to {to}"),
                owner,
                file_name: whole.file_name,
                media_type: whole.media_type.to_owned(),
            };
            asked(app, operator, new, whole.pieces).await
        }
        Wanted::Log { from, to } => {
            must_have(&caller, &[Scope::AuditRead], "audit:read")?;
            let decided = store::cursor(&app.pool).await?.seq;
            let (from, to) = (from.unwrap_or(1), to.unwrap_or(decided));
            if from == 0 || from > to || to > decided {
                let detail = format!("the log goes from 1 to {decided}, not from {from} to {to}");
                return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
            }
            if to - from >= REQUESTS_MAX {
                let detail = format!("a file has {REQUESTS_MAX} requests at most");
                return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
            }
            let new = NewFile {
                kind: FileKind::Log,
                about: format!("requests {from} to {to} and their answers"),
                owner,
                file_name: format!("log-{from}-{to}.ndjson"),
                media_type: "application/x-ndjson".to_owned(),
            };
            let lines = log::lines(&app.making.broker, from, to);
            asked(app, operator, new, lines).await
        }
    }
}

fn must_have(caller: &Caller<'_>, scopes: &[Scope], named: &str) -> Result<(), Problem> {
    let allows = |scope: &Scope| caller.claims().allows(*scope);
    if scopes.iter().any(allows) {
        Ok(())
    } else {
        Err(Problem::forbidden(named))
    }
}

/// Begins a file, though whoever asked hangs up meanwhile: what is described must be made or taken back.
async fn asked<E: std::error::Error + Send + 'static>(
    app: Arc<App>,
    operator: Option<ClientId>,
    new: NewFile,
    pieces: stream::BoxStream<'static, Result<Bytes, E>>,
) -> Result<Response, Problem> {
    let begun = tokio::spawn(async move { begin(&app, operator.as_ref(), new, pieces).await });
    begun.await.expect("beginning a file does not panic")
}

async fn begin<E: std::error::Error + Send + 'static>(
    app: &App,
    operator: Option<&ClientId>,
    new: NewFile,
    pieces: stream::BoxStream<'static, Result<Bytes, E>>,
) -> Result<Response, Problem> {
    let asked = on_disk(app, |files| files.ask(new)).await;
    let file = asked.map_err(|refused| {
        let detail = refused.to_string();
        match refused {
            Refused::TooMany | Refused::Full => Problem::new(StatusCode::TOO_MANY_REQUESTS, detail)
                .with_header(header::RETRY_AFTER, header::HeaderValue::from_static("60")),
            Refused::NoDirectory => Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail),
            Refused::Disk(error) => Problem::unavailable("the directory for files", &error),
        }
    })?;
    if let Err(problem) = filed(app, operator, FILE_ASKED, &file).await {
        on_disk(app, move |files| files.take_back(file.id)).await;
        return Err(problem);
    }
    let (files, making) = (app.making.files.clone(), file.clone());
    tokio::spawn(async move { files.make(making, pieces).await });
    let location = [(header::LOCATION, format!("/files/{}", file.id))];
    Ok((StatusCode::ACCEPTED, location, Json(file)).into_response())
}

async fn on_disk<T: Send + 'static>(
    app: &App,
    work: impl FnOnce(&Files) -> T + Send + 'static,
) -> T {
    let files = app.making.files.clone();
    let done = tokio::task::spawn_blocking(move || work(&files)).await;
    done.expect("looking at files does not panic")
}

/// List one's files
///
/// Those that the caller asked for, the newest first.
#[utoipa::path(
    get,
    path = "/files",
    tag = "Files",
    responses(Reply<200, KeptFiles>),
    security(("bearer" = ["accounts:read"]), ("bearer" = ["bank:operate"]), ("bearer" = ["audit:read"])),
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = app.caller(&headers, READERS).await?;
    let owner = caller.claims().sub.clone();
    let files = on_disk(&app, move |files| files.of(&owner)).await;
    let files = files.map_err(|error| Problem::unavailable("the directory for files", &error))?;
    Ok(Json(KeptFiles { files }).into_response())
}

/// Show a file
///
/// What it is and how it stands: `making`, `ready` or `failed`.
#[utoipa::path(
    get,
    path = "/files/{id}",
    tag = "Files",
    params(("id" = Uuid, Path, description = "The file.", example = "0198c0de-0000-7000-8000-000000000001")),
    responses(Reply<200, KeptFile>, Problems<404>),
    security(("bearer" = ["accounts:read"]), ("bearer" = ["bank:operate"]), ("bearer" = ["audit:read"])),
)]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<Response, Problem> {
    let caller = app.caller(&headers, READERS).await?;
    Ok(Json(seen(&app, &caller, id).await?).into_response())
}

/// The file, if it is the caller's, or of a kind that the bank's people may see.
async fn seen(
    app: &App,
    caller: &Caller<'_>,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<KeptFile, Problem> {
    let Path(id) = id?;
    let claims = caller.claims();
    let found = on_disk(app, move |files| files.find(id)).await;
    let found = found.filter(|file| match file.kind {
        FileKind::Statement if claims.allows(Scope::BankOperate) => true,
        FileKind::Statement => claims.allows(Scope::AccountsRead) && file.owner == claims.sub,
        FileKind::Log => claims.allows(Scope::AuditRead),
    });
    found.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, format!("you have no file {id}")))
}

/// Get what a file holds
///
/// Behind the gateway nginx hands it out, and parts of it too (`Range`). `409` while it is being made, or when it could not be.
#[utoipa::path(
    get,
    path = "/files/{id}/content",
    tag = "Files",
    params(("id" = Uuid, Path, description = "The file.", example = "0198c0de-0000-7000-8000-000000000001")),
    responses(File<200>, Problems<404>, Problems<409>),
    security(("bearer" = ["accounts:read"]), ("bearer" = ["bank:operate"]), ("bearer" = ["audit:read"])),
)]
pub(super) async fn content(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<Response, Problem> {
    let caller = app.caller(&headers, READERS).await?;
    let file = seen(&app, &caller, id).await?;
    if file.state != FileState::Ready {
        let detail = match file.detail {
            Some(detail) => format!("this file was not made: {detail}"),
            None => "it is being made; ask again when its state is ready".to_owned(),
        };
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    }
    filed(&app, operator(&caller).as_ref(), FILE_FETCHED, &file).await?;
    let name = format!("attachment; filename=\"{}\"", file.file_name);
    let about = [
        (header::CONTENT_TYPE, file.media_type),
        (header::CONTENT_DISPOSITION, name),
        (header::CACHE_CONTROL, "private, no-store".to_owned()),
    ];
    // Whoever sends this without a gateway gets an empty body, and that alone.
    if headers
        .get(&X_FORWARDED_MEDIA)
        .is_some_and(|at| at == MEDIA)
    {
        let there = format!("{MEDIA}/{}.file", file.id);
        return Ok(([(X_ACCEL_REDIRECT.clone(), there)], about).into_response());
    }
    let away = || Problem::new(StatusCode::NOT_FOUND, "the file had its time");
    let path = app.making.files.content(file.id).ok_or_else(away)?;
    let opened = tokio::fs::File::open(path).await.map_err(|_| away())?;
    let length = [(
        header::CONTENT_LENGTH,
        file.bytes.unwrap_or_default().to_string(),
    )];
    let pieces = stream::try_unfold(opened, async |mut opened| {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        let read = opened.read_buf(&mut piece).await?;
        std::io::Result::Ok((read > 0).then(|| (Bytes::from(piece), opened)))
    });
    Ok((length, about, Content::from_stream(pieces.boxed())).into_response())
}

/// Delete a file
///
/// Before its time is over. One that is being made is given up.
#[utoipa::path(
    delete,
    path = "/files/{id}",
    tag = "Files",
    params(("id" = Uuid, Path, description = "The file.", example = "0198c0de-0000-7000-8000-000000000001")),
    responses(Reply<204, ()>, Problems<404>),
    security(("bearer" = ["accounts:read"]), ("bearer" = ["bank:operate"]), ("bearer" = ["audit:read"])),
)]
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<Response, Problem> {
    let caller = app.caller(&headers, READERS).await?;
    let file = seen(&app, &caller, id).await?;
    filed(&app, operator(&caller).as_ref(), FILE_DELETED, &file).await?;
    on_disk(&app, move |files| files.delete(file.id)).await;
    Ok(StatusCode::NO_CONTENT.into_response())
}
