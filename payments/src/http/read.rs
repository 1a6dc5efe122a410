//! Reading payments: one, or a list.
//!
//! Both read the projection. A payment that is not there may only be late, so a miss waits until the projection has
//! passed the end that REQUESTS has now and looks again: what was answered with `202` is never "not found" afterwards.
//! The same goes for a payment that may be sent again, and may have been: after a `202` it is not "rejected" any more.
//!
//! Links are relative to this service. Behind the gateway they get its prefix there.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use common::http::caller::Caller;
use common::http::describe::Of;
use common::http::describe::answers::{Problems, Reply};
use common::http::page;
use common::http::problem::Problem;
use common::ids::{AccountId, ClientId, PaymentId};
use common::kinds::body;
use common::kinds::client_request::ClientRequest;
use common::kinds::hold::{CaptureRequest, HoldRequest, VoidRequest};
use common::kinds::payment::{Original, PaymentAnswer, PaymentRequest};
use common::kinds::posting::Posting;
use common::kinds::reversal::ReversalRequest;
use common::kinds::settlement::{Rate, Reverses};
use common::kinds::transaction::TransactionRequest;
use common::reason::Reason;
use common::timestamp;
use common::token::Scope;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::app::App;
use crate::projection::Log;
use crate::state::Status;
use crate::store::{self, RowKind};

/// A payment as `GET` shows it: the fields of its settlement event, and `status: pending` while there is none.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Payment {
    request_seq: u64,
    payment_id: Uuid,
    client_id: String,
    /// What was asked for.
    kind: Kind,
    status: Status,
    reason: Option<Reason>,
    debtor_account: Option<AccountId>,
    creditor_account: Option<AccountId>,
    amount: Option<String>,
    currency: Option<String>,
    reference: Option<String>,
    /// The value date, once it is decided the one that counts.
    effective_date: Option<String>,
    metadata: BTreeMap<String, String>,
    /// Of a capture or void, the hold.
    hold_id: Option<PaymentId>,
    /// Whose hold that is, if it is another client's.
    hold_client_id: Option<ClientId>,
    /// Of a hold, when it ends by itself.
    expires_at: Option<String>,
    /// Of a hold what is still held, of a payment or capture what can still be reversed; `null` where that is the
    /// amount, and of a void, reversal or transaction.
    remaining: Option<String>,
    /// Of a reversal, what it is about.
    reverses: Option<Reverses>,
    /// Of a transaction, by which rates it exchanged currencies.
    rates: Vec<Rate>,
    postings: Vec<Posting>,
    original: Option<Original>,
    may_retry: bool,
    #[serde(serialize_with = "timestamp::serialize")]
    published_at: DateTime<Utc>,
    /// When the ledger's answer was stored; `null` while pending.
    #[serde(serialize_with = "timestamp::serialize_or_null")]
    decided_at: Option<DateTime<Utc>>,
}

/// What was asked for.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Payment,
    Hold,
    Capture,
    Void,
    Reversal,
    Transaction,
}

impl From<store::Row> for Payment {
    fn from(row: store::Row) -> Self {
        let client_id = ClientId::try_from(row.client_id.clone());
        let mut said = PaymentAnswer::nothing(client_id.expect("the subject of a request has one"));
        let kind = row.kind();
        if let Some(json) = &row.request {
            match kind {
                None => describe::<PaymentRequest>(json, &mut said),
                Some(RowKind::Hold) => describe::<HoldRequest>(json, &mut said),
                Some(RowKind::Capture) => describe::<CaptureRequest>(json, &mut said),
                Some(RowKind::Void) => describe::<VoidRequest>(json, &mut said),
                Some(RowKind::Reversal) => describe::<ReversalRequest>(json, &mut said),
                Some(RowKind::Transaction) => describe::<TransactionRequest>(json, &mut said),
            }
        }
        if let Some(json) = &row.answer {
            said = serde_json::from_str(json)
                .expect("the projection keeps only answers that it could read");
        }
        Self {
            request_seq: u64::try_from(row.request_seq)
                .expect("constraint payment_request_seq_positive"),
            payment_id: row.payment_id,
            status: row.state().status(),
            kind: match kind {
                None => Kind::Payment,
                Some(RowKind::Hold) => Kind::Hold,
                Some(RowKind::Capture) => Kind::Capture,
                Some(RowKind::Void) => Kind::Void,
                Some(RowKind::Reversal) => Kind::Reversal,
                Some(RowKind::Transaction) => Kind::Transaction,
            },
            client_id: row.client_id,
            reason: said.reason,
            debtor_account: said.debtor_account,
            creditor_account: said.creditor_account,
            amount: said.amount,
            currency: said.currency,
            reference: said.reference,
            effective_date: said.effective_date.flatten(),
            metadata: said.metadata.unwrap_or_default(),
            hold_id: said.hold_id,
            hold_client_id: said.hold_client_id,
            expires_at: said.expires_at,
            remaining: match kind {
                None | Some(RowKind::Hold) => row.remaining.or(said.remaining),
                // The answer to a capture says what was left of the hold.
                Some(RowKind::Capture) => row.remaining,
                Some(RowKind::Void | RowKind::Reversal | RowKind::Transaction) => None,
            },
            reverses: said.reverses,
            rates: said.rates,
            postings: said.postings,
            original: said.original,
            may_retry: row.may_retry,
            published_at: row.published_at,
            decided_at: row.decided_at,
        }
    }
}

/// What a request says, as its answer would repeat it.
fn describe<R: ClientRequest>(json: &str, said: &mut PaymentAnswer) {
    let request: R =
        body::read(json.as_bytes()).expect("the projection keeps only requests that it could read");
    request.describe(said);
}

/// Whose payments: the token's client's, or with `bank:operate` anybody's.
pub(super) fn client_of(caller: &Caller<'_>, asked: Option<String>) -> Result<ClientId, Problem> {
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

/// Payments in a list, unless asked for otherwise.
pub(super) const ROWS_DEFAULT: u32 = 50;

pub(super) const READERS: &[Scope] = &[Scope::PaymentsRead, Scope::BankOperate];

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ShowQuery {
    /// Whose payment, when several clients have one with this id. Another's with `bank:operate` only.
    #[schemars(with = "Option<ClientId>")]
    client_id: Option<String>,
}

/// Show a payment
///
/// `pending` until it is decided. What was answered with `202` is found at once.
#[utoipa::path(
    get,
    path = "/payments/{payment_id}",
    tag = "Payments",
    params(
        ("payment_id" = Uuid, Path, description = "The payment.", example = "019a5c3e-7b1a-7c3f-9d43-5b7d3c1f2a10"),
        Of<ShowQuery>,
    ),
    responses(Reply<200, Payment>, Problems<404>, Problems<409>),
    security(("bearer" = ["payments:read"]), ("bearer" = ["bank:operate"])),
)]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    path: Result<Path<PaymentId>, PathRejection>,
    query: Result<Query<ShowQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let caller = app.callers.authorize(&headers, READERS).await?;
    let (Path(payment_id), Query(query)) = (path?, query?);
    let whose = Whose::asked(&caller, query.client_id)?;
    let row = known(&app, &whose, payment_id).await?;
    Ok(Json(Payment::from(row)).into_response())
}

/// The payment, as far as the logs go now. 404 when there is none.
pub(super) async fn known(
    app: &App,
    whose: &Whose,
    payment_id: PaymentId,
) -> Result<store::Row, Problem> {
    let known = find(app, whose, payment_id).await?;
    if let Some(row) = known.filter(store::Row::is_decided) {
        return Ok(row);
    }
    // The logs may hold more than we have read: the request itself, another try, the answer. Without the answer, the
    // payment is pending as far as we know.
    app.catch_up(Log::Requests).await?;
    drop(app.catch_up(Log::Settlements).await);
    find(app, whose, payment_id).await?.ok_or_else(|| {
        let nobody = match whose {
            Whose::Clients(client_id) => client_id.as_str(),
            Whose::Anybodys { .. } => "nobody",
        };
        Problem::new(
            StatusCode::NOT_FOUND,
            format!("{nobody} has no payment {payment_id}"),
        )
    })
}

/// Where one payment is looked for.
pub(super) enum Whose {
    Clients(ClientId),
    /// The bank may not know whose it is. Its own comes first.
    Anybodys {
        own: ClientId,
    },
}

impl Whose {
    pub(super) fn asked(caller: &Caller<'_>, asked: Option<String>) -> Result<Self, Problem> {
        let claims = caller.claims();
        Ok(if asked.is_none() && claims.allows(Scope::BankOperate) {
            Self::Anybodys {
                own: claims.client_id.clone(),
            }
        } else {
            Self::Clients(client_of(caller, asked)?)
        })
    }
}

/// The payment, if there is one. 409 when several clients have one with this id.
async fn find(app: &App, whose: &Whose, id: PaymentId) -> Result<Option<store::Row>, Problem> {
    let mut db = app.pool.acquire().await?;
    let own = match whose {
        Whose::Clients(client_id) => return Ok(store::payment(&mut db, client_id, id).await?),
        Whose::Anybodys { own } => own,
    };
    let mut rows = store::payments_with_id(&mut db, id).await?;
    if let Some(at) = rows.iter().position(|row| row.client_id == own.as_str()) {
        return Ok(Some(rows.swap_remove(at)));
    }
    if rows.len() > 1 {
        let clients: Vec<_> = rows.into_iter().map(|row| row.client_id).collect();
        let clients = clients.join(", ");
        return Err(Problem::new(
            StatusCode::CONFLICT,
            format!("several clients have a payment {id}; say whose with client_id: {clients}"),
        ));
    }
    Ok(rows.pop())
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// How many at most.
    #[schemars(range(min = 1, max = 100), example = 10)]
    limit: Option<u32>,
    /// Only payments before this request in the log.
    before: Option<u64>,
    /// And of that request, which was a batch, those before this payment.
    before_payment: Option<PaymentId>,
    /// Only payments in this state.
    status: Option<Status>,
    /// Whose payments. Another's with `bank:operate` only.
    #[schemars(with = "Option<ClientId>")]
    client_id: Option<String>,
}

/// A page of payments, newest first.
#[derive(Debug, Serialize, JsonSchema)]
struct PaymentList {
    payments: Vec<Payment>,
    /// Where the list goes on, towards older payments; `null` at its end. Also in the header `Link`.
    next: Option<String>,
}

/// List payments
///
/// One's own, the newest first; with `bank:operate` those of any client.
#[utoipa::path(
    get,
    path = "/payments",
    tag = "Payments",
    params(Of<ListQuery>),
    responses(Reply<200, PaymentList>),
    security(("bearer" = ["payments:read"]), ("bearer" = ["bank:operate"])),
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let caller = app.callers.authorize(&headers, READERS).await?;
    let Query(query) = query?;
    let limit = page::limit(query.limit, ROWS_DEFAULT)?;
    let client_id = client_of(&caller, query.client_id.clone())?;
    let asked = store::Filter {
        client_id: &client_id,
        status: query.status,
        before: query.before,
        before_payment: query.before_payment,
        limit: limit + 1,
    };
    let rows = store::payments(&mut *app.pool.acquire().await?, &asked).await?;
    let page = page::Page::cut(rows, limit, "/payments", |last| ListQuery {
        before: u64::try_from(last.request_seq).ok(),
        before_payment: Some(PaymentId(last.payment_id)),
        limit: Some(limit),
        ..query
    });
    Ok(page.answer(|rows, next| PaymentList {
        payments: rows.into_iter().map(Payment::from).collect(),
        next,
    }))
}
