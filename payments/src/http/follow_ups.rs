//! What was asked about a payment later: the captures and voids of a hold, the reversals of a payment or
//! transaction.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use common::http::describe::Of;
use common::http::describe::answers::{Problems, Reply};
use common::http::page::{self, Page};
use common::http::problem::Problem;
use common::ids::{ClientId, PaymentId};
use common::token::Scope;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::read::{self, Payment, READERS, ROWS_DEFAULT, Whose};
use crate::app::App;
use crate::store;

/// A page of captures, voids and reversals, newest first.
#[derive(Debug, Serialize, JsonSchema)]
struct FollowUps {
    payments: Vec<Payment>,
    /// Where the list goes on, towards older ones; `null` at its end. Also in the header `Link`.
    next: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// How many at most.
    #[schemars(range(min = 1, max = 100), example = 10)]
    limit: Option<u32>,
    /// Only those before this request in the log.
    before: Option<u64>,
    /// Whose payment, when several clients have one with this id. Another's with `bank:operate` only.
    #[schemars(with = "Option<ClientId>")]
    client_id: Option<String>,
}

/// List what followed on a payment
///
/// The captures and voids of a hold, the reversals of a payment, capture or transaction, the newest first; only what was granted. Each
/// has its own client: without `bank:operate` only the caller's own are listed.
#[utoipa::path(
    get,
    path = "/payments/{payment_id}/follow-ups",
    tag = "Payments",
    params(
        ("payment_id" = Uuid, Path, description = "The hold, payment or capture.", example = "019a5c3e-7b1a-7c3f-9d43-5b7d3c1f2a10"),
        Of<ListQuery>,
    ),
    responses(Reply<200, FollowUps>, Problems<404>, Problems<409>),
    security(("bearer" = ["payments:read"]), ("bearer" = ["bank:operate"])),
)]
pub(super) async fn follow_ups(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    path: Result<Path<PaymentId>, PathRejection>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let caller = app.callers.authorize(&headers, READERS).await?;
    let (Path(payment_id), Query(query)) = (path?, query?);
    let limit = page::limit(query.limit, ROWS_DEFAULT)?;
    let whose = Whose::asked(&caller, query.client_id.clone())?;
    let of = read::known(&app, &whose, payment_id).await?;
    let claims = caller.claims();
    let by = (!claims.allows(Scope::BankOperate)).then_some(&claims.client_id);
    let asked = store::FollowUpFilter {
        of_client_id: &of.client_id,
        of_payment_id: payment_id,
        by,
        before: query.before,
        limit: limit + 1,
    };
    let rows = store::follow_ups(&mut *app.pool.acquire().await?, &asked).await?;
    let path = format!("/payments/{payment_id}/follow-ups");
    let page = Page::cut(rows, limit, &path, |last| ListQuery {
        before: u64::try_from(last.request_seq).ok(),
        limit: Some(limit),
        ..query
    });
    Ok(page.answer(|rows, next| FollowUps {
        payments: rows.into_iter().map(Payment::from).collect(),
        next,
    }))
}
