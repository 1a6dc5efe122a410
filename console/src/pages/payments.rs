//! Everybody's payments, the newest first. They are a part of the log, so this is the log with a filter.

use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;

use super::log::{self, Filter, Look, Rows};
use crate::app::App;
use crate::failure::Failure;
use crate::live;
use crate::operator::Operator;
use crate::page::{Frame, html, render};

#[derive(Template)]
#[template(path = "payments.html")]
struct PaymentsPage {
    frame: Frame,
    filter: Filter,
    live: Option<String>,
    rows: Rows,
}

/// What moves money, or may: with its own id, and a page under it.
const KINDS: &str = "payment,hold,capture,void,reversal,transaction,payment-batch,expiry";

const EMPTY: &str =
    "No payment fits. The first one can be made on an account's page, or with `quittance pay`.";

pub(super) async fn list(
    State(app): State<Arc<App>>,
    who: Operator,
    query: Result<Query<Filter>, QueryRejection>,
) -> Result<Response, Failure> {
    let filter = log::filter(query, &who)?;
    let rows = rows(&app, &who, &filter, Look::Far).await;
    let live = format!("/live/payments?{}", filter.encoded());
    Ok(html(&PaymentsPage {
        frame: who.frame("Payments", "Payments"),
        live: (filter.is_at_the_head() && !rows.is_deep).then(|| who.prefix.at(&live)),
        filter,
        rows,
    }))
}

pub(super) async fn live(
    State(app): State<Arc<App>>,
    who: Operator,
    query: Result<Query<Filter>, QueryRejection>,
) -> Result<Response, Failure> {
    let filter = log::filter(query, &who)?;
    Ok(live::stream(app, who, move |app, who| {
        let filter = filter.clone();
        async move { Some(render(&rows(&app, &who, &filter, Look::Once).await)) }
    }))
}

/// The rows that fit. A kind that is no payment's is not asked for here.
async fn rows(app: &App, who: &Operator, filter: &Filter, look: Look) -> Rows {
    let is_ours = KINDS.split(',').any(|kind| kind == filter.kind);
    let kind = if is_ours { &filter.kind } else { KINDS };
    let asked = Filter {
        kind: kind.to_owned(),
        ..filter.clone()
    };
    log::rows(app, who, &asked, "/payments", EMPTY, look).await
}
