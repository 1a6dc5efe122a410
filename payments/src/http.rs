//! What a client sees: submitting a payment ([`crate::submit`]), reading one, and listing them.
//!
//! Reading reads the projection. A payment that is not there may only be late, so a miss waits until the projection has
//! passed the end that REQUESTS has now and looks again: what was answered with `202` is never "not found" afterwards.
//! The same goes for a payment that may be sent again, and perhaps has been: it does not stay "rejected" behind a `202`.
//!
//! Links are relative to this service. Behind the gateway they get its prefix there.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::from_fn;
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use common::broker::Answers;
use common::http::body::limit_body;
use common::http::caller::bearer_token;
use common::http::problem::Problem;
use common::ids::{AccountId, ClientId, PaymentId};
use common::kinds::body;
use common::kinds::payment::PaymentRequest;
use common::kinds::payment::{Original, PaymentAnswer};
use common::kinds::posting::Posting;
use common::reason::Reason;
use common::service;
use common::timestamp;
use common::token::{CheckedTokens, Claims, Scope, TokenError, Verified};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::door::Door;
use crate::projection::{Log, Projection};
use crate::store;
use crate::submit;

/// How long a request waits for the projection before it says that it can't tell.
const PROJECTION_WAIT_MAX: Duration = Duration::from_secs(2);
/// Payments in a list, unless asked for otherwise, and at most.
const LIMIT_DEFAULT: u32 = 50;
const LIMIT_MAX: u32 = 100;

/// What every request may use.
pub(crate) struct App {
    pub(crate) pool: PgPool,
    pub(crate) door: Door,
    pub(crate) jetstream: jetstream::Context,
    pub(crate) projection: Arc<Projection>,
    /// Empty until the streams exist.
    pub(crate) answers: Arc<OnceCell<Answers>>,
    /// Tokens that need no signature check any more. Keys are never forgotten here, so a token that passed still does.
    pub(crate) checked: Mutex<CheckedTokens>,
    pub(crate) stop: CancellationToken,
}

/// The paths of this service, without the health checks.
pub(crate) fn routes(app: App) -> Router {
    Router::new()
        .route("/payments", post(submit::submit).get(list))
        .route("/payments/{payment_id}", get(show))
        .layer(from_fn(limit_body))
        .with_state(Arc::new(app))
}

/// A token as it was sent, and what it says.
pub(crate) struct Caller<'h> {
    pub(crate) token: &'h str,
    verified: Arc<Verified>,
}

impl Caller<'_> {
    pub(crate) fn claims(&self) -> &Claims {
        &self.verified.claims
    }
}

/// Lets a caller in who carries a valid token with one of these scopes.
///
/// A key that is not known may have been announced a moment ago, so the projection catches up once before the answer.
pub(crate) async fn authorize<'h>(
    app: &App,
    headers: &'h HeaderMap,
    scopes: &[Scope],
) -> Result<Caller<'h>, Problem> {
    let token = bearer_token(headers)?;
    let now = service::now();
    let mut verified = verify(app, token, now);
    if verified == Err(TokenError::KeyUnknown) {
        catch_up(app, Log::Settlements).await?;
        verified = verify(app, token, now);
    }
    let verified = verified.map_err(Problem::unauthorized)?;
    if !verified.claims.allows_any(scopes) {
        let words: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
        return Err(Problem::forbidden(&words.join(" or ")));
    }
    Ok(Caller { token, verified })
}

fn verify(app: &App, token: &str, now: DateTime<Utc>) -> Result<Arc<Verified>, TokenError> {
    let mut checked = app.checked.lock().unwrap_or_else(PoisonError::into_inner);
    checked.verify(token, now, &app.projection.keys())
}

/// Waits until the projection has passed what the log holds now. 503 when it does not get there in time.
async fn catch_up(app: &App, log: Log) -> Result<(), Problem> {
    match app.projection.catch_up(log, PROJECTION_WAIT_MAX).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Problem::unavailable(
            "the projection",
            &"it is behind the log",
        )),
        Err(error) => Err(Problem::unavailable("the broker", &error)),
    }
}

/// A payment as `GET` shows it: the fields of its settlement event, and `status: pending` while there is none.
#[derive(Debug, Serialize)]
struct Payment {
    request_seq: u64,
    payment_id: Uuid,
    client_id: String,
    status: String,
    reason: Option<Reason>,
    debtor_account: Option<AccountId>,
    creditor_account: Option<AccountId>,
    amount: Option<String>,
    currency: Option<String>,
    reference: Option<String>,
    postings: Vec<Posting>,
    original: Option<Original>,
    may_retry: bool,
    #[serde(serialize_with = "timestamp::serialize")]
    published_at: DateTime<Utc>,
    /// When the ledger's answer was stored; `null` while pending.
    #[serde(serialize_with = "timestamp_or_null")]
    decided_at: Option<DateTime<Utc>>,
}

fn timestamp_or_null<S: serde::Serializer>(
    time: &Option<DateTime<Utc>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    time.as_ref().map(timestamp::text).serialize(serializer)
}

impl From<store::Row> for Payment {
    fn from(row: store::Row) -> Self {
        let mut payment = Self {
            request_seq: u64::try_from(row.request_seq)
                .expect("constraint payment_request_seq_positive"),
            payment_id: row.payment_id,
            client_id: row.client_id,
            status: row.status,
            reason: None,
            debtor_account: None,
            creditor_account: None,
            amount: None,
            currency: None,
            reference: None,
            postings: Vec::new(),
            original: None,
            may_retry: row.may_retry,
            published_at: row.published_at,
            decided_at: row.decided_at,
        };
        if let Some(json) = row.request {
            let request: PaymentRequest = body::read(json.as_bytes())
                .expect("the projection keeps only requests that it could read");
            payment.debtor_account = Some(request.debtor_account);
            payment.creditor_account = Some(request.creditor_account);
            payment.amount = Some(request.amount);
            payment.currency = Some(request.currency);
            payment.reference = request.reference;
        }
        if let Some(json) = row.answer {
            let answer: PaymentAnswer = serde_json::from_str(&json)
                .expect("the projection keeps only answers that it could read");
            payment.reason = answer.reason;
            payment.debtor_account = answer.debtor_account;
            payment.creditor_account = answer.creditor_account;
            payment.amount = answer.amount;
            payment.currency = answer.currency;
            payment.reference = answer.reference;
            payment.postings = answer.postings;
            payment.original = answer.original;
        }
        payment
    }
}

/// Whose payments: the token's client's, or with `bank:operate` anybody's.
fn client_of(caller: &Caller<'_>, asked: Option<String>) -> Result<ClientId, Problem> {
    let own = &caller.claims().client_id;
    let Some(asked) = asked else {
        return Ok(own.clone());
    };
    let asked = ClientId::try_from(asked)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.to_string()))?;
    if asked == *own || caller.claims().allows(Scope::BankOperate) {
        Ok(asked)
    } else {
        Err(Problem::forbidden(Scope::BankOperate.as_str()))
    }
}

const READERS: &[Scope] = &[Scope::PaymentsRead, Scope::BankOperate];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ShowQuery {
    client_id: Option<String>,
}

async fn show(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    path: Result<Path<PaymentId>, PathRejection>,
    query: Result<Query<ShowQuery>, QueryRejection>,
) -> Result<Json<Payment>, Problem> {
    let caller = authorize(&app, &headers, READERS).await?;
    let (Path(payment_id), Query(query)) = (path?, query?);
    let client_id = client_of(&caller, query.client_id)?;
    let known = find(&app, &client_id, payment_id).await?;
    if let Some(row) = known.filter(|row| row.is_decided()) {
        return Ok(Json(row.into()));
    }
    // There may be more in the logs than we have read: the request itself, another try, the answer. Without the answer
    // the payment is pending as far as we know.
    catch_up(&app, Log::Requests).await?;
    drop(catch_up(&app, Log::Settlements).await);
    match find(&app, &client_id, payment_id).await? {
        Some(row) => Ok(Json(row.into())),
        None => Err(Problem::new(
            StatusCode::NOT_FOUND,
            format!("{client_id} has no payment {payment_id}"),
        )),
    }
}

async fn find(
    app: &App,
    client_id: &ClientId,
    payment_id: PaymentId,
) -> sqlx::Result<Option<store::Row>> {
    store::payment(&mut *app.pool.acquire().await?, client_id, payment_id).await
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Pending,
    Settled,
    Rejected,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Settled => "settled",
            Self::Rejected => "rejected",
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    client_id: Option<String>,
    status: Option<Status>,
    limit: Option<u32>,
    before: Option<u64>,
}

#[derive(Debug, Serialize)]
struct List {
    payments: Vec<Payment>,
    /// Where the list goes on, towards older payments; `null` at its end.
    next: Option<String>,
}

async fn list(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<List>, Problem> {
    let caller = authorize(&app, &headers, READERS).await?;
    let Query(query) = query?;
    let limit = query.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        let detail = format!("limit is 1 to {LIMIT_MAX}");
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    let client_id = client_of(&caller, query.client_id.clone())?;
    let page = store::Page {
        client_id: &client_id,
        status: query.status.map(Status::as_str),
        before: query.before,
        limit: limit + 1,
    };
    let mut rows = store::payments(&mut *app.pool.acquire().await?, &page).await?;
    // One more than asked for tells whether there is a next page.
    let is_last = rows.len() <= usize::try_from(limit).expect("at most LIMIT_MAX");
    if !is_last {
        rows.pop();
    }
    let next = rows.last().filter(|_| !is_last).map(|last| {
        let mut next = format!("/payments?limit={limit}&before={}", last.request_seq);
        if let Some(status) = query.status {
            next += &format!("&status={}", status.as_str());
        }
        if query.client_id.is_some() {
            next += &format!("&client_id={client_id}");
        }
        next
    });
    Ok(Json(List {
        payments: rows.into_iter().map(Payment::from).collect(),
        next,
    }))
}
