//! Everybody's payments, the newest first. They are a part of the log, so this is the log with a filter.

use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;

use super::log::{self, Filter, Rows};
use crate::app::App;
use crate::failure::Failure;
use crate::operator::Operator;
use crate::page::{Frame, html};

#[derive(Template)]
#[template(path = "payments.html")]
struct PaymentsPage {
    frame: Frame,
    filter: Filter,
    live: Option<String>,
    rows: Rows,
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    who: Operator,
    query: Result<Query<Filter>, QueryRejection>,
) -> Result<Response, Failure> {
    let mut filter = log::filter(query, &who)?;
    "payment".clone_into(&mut filter.kind);
    let rows = log::rows(&app, &who, &filter, "/payments", log::NO_PAYMENT).await;
    let live = format!("/live/log?{}", filter.encoded());
    Ok(html(&PaymentsPage {
        frame: who.frame("Payments", "Payments"),
        live: filter.is_at_the_head().then(|| who.prefix.at(&live)),
        filter,
        rows,
    }))
}
