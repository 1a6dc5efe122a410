//! The trial balance: all accounts by currency and category, now or at a time, and that they sum to zero.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use client::TrialBalance;
use serde::Deserialize;

use crate::app::App;
use crate::operator::Operator;
use crate::page::{Frame, html};
use crate::show::{Id, Source, Time, as_rfc3339, count};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    as_of: String,
}

struct Books {
    seq: Id,
    as_of: Option<Time>,
    currencies: Vec<CurrencyBooks>,
}

/// The accounts of one currency.
struct CurrencyBooks {
    currency: String,
    is_zero: bool,
    debit: String,
    credit: String,
    difference: String,
    rows: Vec<Row>,
}

struct Row {
    category: String,
    accounts: String,
    debit: String,
    credit: String,
}

#[derive(Template)]
#[template(path = "trial_balance.html")]
struct TrialBalancePage {
    frame: Frame,
    as_of: String,
    books: Source<Books>,
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    who: Operator,
    Query(asked): Query<Asked>,
) -> Response {
    let as_of = Some(as_rfc3339(asked.as_of.trim())).filter(|time| !time.is_empty());
    let found = app
        .client
        .trial_balance::<TrialBalance>(&who.token, as_of.as_deref())
        .await;
    let books = found.map(|found| books(found, &who));
    html(&TrialBalancePage {
        frame: who.frame("Trial balance", "Trial balance"),
        as_of: asked.as_of,
        books: books.map_err(Into::into),
    })
}

fn books(found: TrialBalance, who: &Operator) -> Books {
    let currencies = found.currencies.into_iter().map(|of| CurrencyBooks {
        is_zero: of.is_zero(),
        currency: of.currency,
        debit: of.debit,
        credit: of.credit,
        difference: of.difference,
        rows: of
            .categories
            .into_iter()
            .map(|category| {
                let is_debit = matches!(category.category.as_str(), "asset" | "expense");
                let (debit, credit) = if is_debit {
                    (category.sum, String::new())
                } else {
                    (String::new(), category.sum)
                };
                Row {
                    category: category.category,
                    accounts: count(category.accounts),
                    debit,
                    credit,
                }
            })
            .collect(),
    });
    Books {
        seq: Id::seq(found.seq, &who.prefix),
        as_of: found.as_of.map(Time::at),
        currencies: currencies.collect(),
    }
}
