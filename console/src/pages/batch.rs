//! A batch of payments with the outcome of each.

use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::Response;
use client::PaymentBatch;
use common::ids::BatchId;
use common::kinds::bulk::ItemAnswer;
use serde::Deserialize;

use crate::app::App;
use crate::failure::Failure;
use crate::operator::Operator;
use crate::page::{Frame, html};
use crate::prefix::Prefix;
use crate::show::{Id, State as Shown, Time};

#[derive(Deserialize)]
pub(super) struct Asked {
    client_id: Option<String>,
}

/// A payment of the batch.
struct Row {
    number: usize,
    payment: Option<Id>,
    debtor: Option<Id>,
    creditor: Option<Id>,
    amount: String,
    state: Shown,
    reason: String,
}

#[derive(Template)]
#[template(path = "batch.html")]
struct BatchPage {
    frame: Frame,
    id: Id,
    client: String,
    seq: Id,
    at: Time,
    state: Shown,
    atomic: &'static str,
    counts: Vec<(&'static str, u32)>,
    reason: Option<String>,
    rows: Vec<Row>,
}

/// The page of a batch.
pub(super) fn path(id: &str, client_id: Option<&str>) -> String {
    match client_id {
        Some(client) => format!("/batches/{id}?client_id={client}"),
        None => format!("/batches/{id}"),
    }
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    who: Operator,
    asked: Result<Path<BatchId>, PathRejection>,
    query: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Failure> {
    let missing = || Failure::not_found("There is no such batch.", &who.prefix);
    let (Ok(Path(id)), Ok(Query(query))) = (asked, query) else {
        return Err(missing());
    };
    let client_id = query.client_id.as_deref();
    let found = app.client.batch::<PaymentBatch>(&who.token, id, client_id);
    let found = found
        .await
        .map_err(|error| Failure::of(error, &who.prefix))?;
    let batch = found.ok_or_else(missing)?;
    let counts = [
        ("settled", batch.settled),
        ("rejected", batch.rejected),
        ("asked for before", batch.duplicates),
    ];
    let rows = (1..).zip(&batch.payments);
    Ok(html(&BatchPage {
        frame: who.frame("Batch", "Payments"),
        id: Id::plain(batch.batch_id),
        client: batch.client_id.to_string(),
        seq: Id::seq(batch.request_seq, &who.prefix),
        at: Time::at(batch.published_at),
        state: Shown::new(&batch.status),
        atomic: match batch.atomic {
            Some(true) => "all or nothing",
            Some(false) => "each by itself",
            None => "–",
        },
        counts: counts
            .into_iter()
            .filter_map(|(word, count)| Some((word, count?)))
            .collect(),
        reason: batch.reason.as_ref().map(|reason| reason.message.clone()),
        rows: rows
            .map(|(number, item)| row(number, item, &batch, &who.prefix))
            .collect(),
    }))
}

fn row(number: usize, item: &ItemAnswer, batch: &PaymentBatch, prefix: &Prefix) -> Row {
    let client = batch.client_id.as_str();
    let debtor = item.debtor_account.or(batch.debtor_account);
    let currency = item.currency.as_deref().or(batch.currency.as_deref());
    let code = item.reason.as_ref().map(|reason| reason.code.as_str());
    Row {
        number,
        payment: item.payment_id.map(|id| match item.may_retry {
            // It has no page: its id is free.
            true => Id::plain(id),
            false => Id::payment(id, Some(client), prefix),
        }),
        debtor: debtor.map(|id| Id::account(id, prefix)),
        creditor: item.creditor_account.map(|id| Id::account(id, prefix)),
        amount: format!(
            "{} {}",
            item.amount.as_deref().unwrap_or("–"),
            currency.unwrap_or_default()
        ),
        state: Shown::new(item.status.as_str()).with(code),
        reason: item
            .reason
            .as_ref()
            .map_or_else(String::new, |reason| reason.message.clone()),
    }
}
