//! What bank staff, customers and the other services ask the ledger.

mod replaying;
mod trial_balance;

mod app;
mod day;

mod accounts;
mod balances;
mod books;
mod controls;
mod events;
mod files;
mod holds;
mod log;
mod numbers;
mod postings;
mod receipts;
mod replays;
mod statements;
mod subscribers;
mod tiles;
mod transactions;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use common::http::body::limit_body;
use common::http::describe::{self, Service};
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use app::{App, Beside, Making};
pub(crate) use replaying::Replaying;

const SERVICE: Service = Service {
    name: "ledger",
    title: "Quittance ledger",
    description: "The books of the bank: accounts and their balances. Amounts are decimal texts, such as `\"12.50\"`. \
                  What changes the books goes through the log, so an answer may be `202` with the request's place there.",
    answers_late_bodies: true,
    tags: &[
        ("Accounts", "Opening accounts and looking at them."),
        ("Books", "The books as a whole."),
        (
            "Log",
            "What was asked and answered, and who reads the answers.",
        ),
        (
            "Receipts",
            "Proofs that an answer is in the log, and that the log only grows.",
        ),
        (
            "Audit",
            "Deciding the whole log again, and what operators did beside the log.",
        ),
        (
            "Files",
            "Statements and parts of the log, made in the background and kept for a while.",
        ),
    ],
};

/// The ledger's routes.
pub(crate) fn routes(app: Arc<App>) -> Router {
    describe::described(&SERVICE, api(), app)
}

/// The ledger's OpenAPI document.
#[must_use]
pub fn openapi() -> Value {
    describe::document(&SERVICE, &api())
}

fn api() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(accounts::open, accounts::list))
        .routes(routes!(accounts::show))
        .routes(routes!(numbers::find))
        .routes(routes!(balances::balance))
        .routes(routes!(statements::statement))
        .routes(routes!(postings::postings))
        .routes(routes!(holds::holds))
        .routes(routes!(controls::freeze))
        .routes(routes!(controls::unfreeze))
        .routes(routes!(controls::close))
        .routes(routes!(controls::limit))
        .routes(routes!(books::checkpoint))
        .routes(routes!(books::trial_balance))
        .routes(routes!(transactions::transaction))
        .routes(routes!(receipts::receipt))
        .routes(routes!(receipts::consistency))
        .routes(routes!(tiles::checkpoint))
        .routes(routes!(tiles::tile))
        .routes(routes!(log::list))
        .routes(routes!(log::show))
        .routes(routes!(subscribers::subscribers))
        .routes(routes!(replays::start, replays::list))
        .routes(routes!(events::events))
        .routes(routes!(files::ask, files::list))
        .routes(routes!(files::show, files::delete))
        .routes(routes!(files::content))
        .layer(from_fn(limit_body))
}
